//! The backward pass of one call: the facts that its stages share, and the windows that several of them bind.

use std::ops::Range;

use crate::error::Result;
use crate::kernel::backward::pixel_blocks::BLOCK_PIXELS;
use crate::kernel::shared::subgroup::SUBGROUP_SIZE;
use crate::kernel::{Kernel, Params, Sampling, Storage};
use crate::ops::convolution::algorithm::Algorithm;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::gradients::{Gradients, Mode};
use crate::ops::convolution::layout::{Chunk, Layout, Part};
use crate::ops::convolution::options::Options;
use crate::ops::convolution::pack_input::Planes;
use crate::ops::convolution::windows::{stride, within_images};
use crate::plan::{DeviceKind, DeviceLimits, Len, Step, Window};

/// The backward pass of one call on one device.
pub(super) struct Pass<'a> {
    pub(super) g: &'a Geometry,
    pub(super) modes: &'a Gradients<Mode>,
    pub(super) options: &'a Options,
    pub(super) limits: &'a DeviceLimits,
    pub(super) layout: Layout,
    /// Whether the matrix products use subgroups of 8. All stages then choose their sizes for a CPU.
    pub(super) subgroups: bool,
}

/// The largest size of a part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Images. A part of several images has all their pixels.
    pub(super) images: u64,
    /// Output pixels of an image. They are whole blocks, except in the last part of an image.
    pub(super) pixels: u64,
    /// Segments of a chunk.
    pub(super) segments: u64,
    /// Packs of each segment. A part of several segments has all their packs.
    pub(super) packs: u64,
    /// Rows of an image of the input in the packed input, at most. A part of several images has all rows.
    pub(super) input_rows: u64,
    /// Whether the whole weight is packed once. Otherwise the weight of each chunk's channels is packed for the chunk.
    pub(super) whole_weight: bool,
}

impl Tiling {
    pub(super) const LEAST: Self =
        Self { images: 1, pixels: BLOCK_PIXELS, segments: 1, packs: 1, input_rows: u64::MAX, whole_weight: false };

    /// Returns the packs of all segments of a chunk.
    pub(super) fn pack_count(&self) -> u64 {
        self.segments * self.packs
    }
}

/// Returns the number of pixels of a part, rounded up to whole blocks.
pub(super) fn padded(part: &Part) -> u64 {
    part.pixel_count().next_multiple_of(BLOCK_PIXELS)
}

impl<'a> Pass<'a> {
    /// Weight groups of few channels are computed without a product if the options and `may_be_depthwise` allow it.
    pub(super) fn new(
        g: &'a Geometry,
        modes: &'a Gradients<Mode>,
        options: &'a Options,
        limits: &'a DeviceLimits,
        may_be_depthwise: bool,
    ) -> Result<Self> {
        let eight = limits.subgroup_size == SUBGROUP_SIZE;
        let subgroups = match options.algorithm {
            Algorithm::FusedSubgroup if !eight => {
                let got = limits.subgroup_size;
                let reason = format!("the device's subgroups have {got} lanes (0: unknown), not {SUBGROUP_SIZE}");
                return Err(options.algorithm.unsuitable(reason));
            }
            Algorithm::FusedSubgroup => true,
            Algorithm::Auto | Algorithm::Depthwise => eight && limits.kind == DeviceKind::Cpu,
            _ => false,
        };
        if options.algorithm == Algorithm::Depthwise {
            g.check_small_groups()?;
        }
        // Without an offset the gradient of the input is gathered from the gradient of the columns, which only the
        // matrix products compute.
        let depthwise = may_be_depthwise
            && g.has_small_groups()
            && g.sampling == Sampling::Deformed
            && matches!(options.algorithm, Algorithm::Auto | Algorithm::Depthwise);
        Ok(Self { g, modes, options, limits, layout: Layout::new(g, depthwise), subgroups })
    }

    /// Returns the name of the algorithm.
    pub(super) fn name(&self) -> &'static str {
        match (self.layout.depthwise, self.subgroups) {
            (true, _) => "backward_depthwise",
            (false, true) => "backward_subgroup",
            (false, false) => "backward",
        }
    }

    /// Returns whether a stage needs the gradient of the columns.
    pub(super) fn wants_grad_column(&self) -> bool {
        self.modes.input.wanted() || self.wants_grad_position()
    }

    /// Returns whether the gradient of the offset or of the mask is wanted.
    pub(super) fn wants_grad_position(&self) -> bool {
        self.modes.offset.wanted() || self.modes.mask.wanted()
    }

    /// Returns whether a stage samples the input.
    pub(super) fn wants_samples(&self) -> bool {
        self.wants_grad_position() || self.modes.weight.wanted()
    }

    /// Returns the output pixels of a part.
    pub(super) fn pixels(&self, tiling: &Tiling) -> u64 {
        tiling.images * tiling.pixels.min(self.g.out_pixels() as u64)
    }

    /// Returns the output pixels of a part, rounded up to whole blocks.
    pub(super) fn padded_pixels(&self, tiling: &Tiling) -> u64 {
        self.pixels(tiling).next_multiple_of(BLOCK_PIXELS)
    }

    /// Returns the planes of the packed input.
    pub(super) fn planes(&self, tiling: &Tiling) -> Planes {
        let rows = tiling.input_rows.min(self.g.in_height as u64);
        Planes::of_rows(self.g, self.limits, tiling.pack_count(), tiling.images, rows)
    }

    /// Returns the largest number of offset groups in which a chunk lies.
    pub(super) fn offset_groups(&self, tiling: &Tiling) -> u64 {
        tiling.segments.div_ceil(self.layout.segments_per_offset_group)
    }

    /// Returns the number of packed taps of one offset group.
    pub(super) fn entries(&self, tiling: &Tiling) -> u64 {
        self.g.taps() as u64 * self.padded_pixels(tiling)
    }

    /// Returns the number of elements that a window over an operand or over its gradient holds.
    pub(super) fn window_elements(&self) -> u64 {
        self.limits.max_operand_elements(self.g.storage).min(self.limits.max_window_elements())
    }

    /// Returns the largest number of channels of a chunk.
    pub(super) fn channels(&self, tiling: &Tiling) -> u64 {
        let chunk = Chunk { segments: 0..tiling.segments, packs: 0..tiling.packs };
        chunk.channels(self.layout.segment_channels).len()
    }

    /// Returns whether a window holds the channels of a part of the input, or of its gradient.
    pub(super) fn window_holds_channels(&self, tiling: &Tiling) -> bool {
        self.channels(tiling) * self.g.in_pixels() as u64 <= self.window_elements()
    }

    /// Returns the window over the planes of some offset groups, `planes` for each tap, of some images, and the index of
    /// the first element in it.
    pub(super) fn of_taps(
        &self,
        operand: &'static str,
        storage: Storage,
        planes: u64,
        images: &Range<u64>,
        groups: &Range<u64>,
    ) -> (Window, u64) {
        let group = planes * (self.g.taps() * self.g.out_pixels()) as u64;
        let within = groups.start * group..groups.end * group;
        let image = self.g.offset_groups as u64 * group;
        within_images(self.limits, storage, operand, image, images, &within)
    }

    /// Returns the elements between images of an operand that has `planes` planes for each tap of each offset group.
    pub(super) fn taps_stride(&self, planes: u64, images: &Range<u64>) -> u64 {
        stride(images.len(), planes * (self.g.offset_groups * self.g.taps() * self.g.out_pixels()) as u64)
    }

    /// Returns the window over some channels of some images of the output or of its gradient, and the index of the first
    /// element in it.
    pub(super) fn of_out_channels(
        &self,
        operand: &'static str,
        images: &Range<u64>,
        channels: &Range<u64>,
    ) -> (Window, u64) {
        let plane = self.g.out_pixels() as u64;
        let within = channels.start * plane..channels.end * plane;
        within_images(self.limits, self.g.storage, operand, self.g.out_channels as u64 * plane, images, &within)
    }

    /// Returns the elements between images of the output or of its gradient.
    pub(super) fn output_stride(&self, images: &Range<u64>) -> u64 {
        stride(images.len(), (self.g.out_channels * self.g.out_pixels()) as u64)
    }

    /// Returns the number of output channels of one image that a window holds. It holds at least a pack.
    pub(super) fn out_channels_per_window(&self) -> u64 {
        self.limits.max_operand_elements(self.g.storage) / self.g.out_pixels() as u64
    }

    /// Returns the window over a part's channels of its images of the gradient of the input, and the index of the first
    /// element in it.
    pub(super) fn grad_input(&self, part: &Part) -> (Window, u64) {
        let plane = self.g.in_pixels() as u64;
        let channels = part.chunk.channels(self.layout.segment_channels);
        let within = channels.start * plane..channels.end * plane;
        let image = self.g.in_channels as u64 * plane;
        within_images(self.limits, Storage::F32, "grad_input", image, &self.g.in_call(&part.images), &within)
    }

    /// Returns the elements between images of the gradient of the input.
    pub(super) fn grad_input_stride(&self, images: &Range<u64>) -> u64 {
        stride(images.len(), (self.g.in_channels * self.g.in_pixels()) as u64)
    }

    pub(super) fn step<P: Params>(
        &self,
        kernel: &'static Kernel,
        params: P,
        windows: Vec<Window>,
        workgroups: u64,
    ) -> Result<Step> {
        self.limits.step(kernel, self.g.specialization(), params, windows, workgroups)
    }
}
