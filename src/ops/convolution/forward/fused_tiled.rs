//! The fused algorithms for GPUs: they pack the weight once, then sample straight into the tiles of a product, either
//! from the input or from the packed input, which a first step writes. If there are too few tiles for the device, or if a
//! sum is too long for one loop, the sum is split, and a last step adds the parts in order.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernel::forward::fused_tiled::{self, TILE_K};
use crate::kernel::forward::{pack_weight_rows, reduce};
use crate::kernel::{Specialization, Storage};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::layout::Layout;
use crate::ops::convolution::options::Options;
use crate::ops::convolution::pack_planes::BorderedPlanes;
use crate::ops::convolution::windows::{self, Images};
use crate::plan::{
    DeviceLimits, F32_BYTES, Len, MAX_LOOP_STEPS, Plan, Scratch, Size, Step, WORKSPACE, binding_too_large, largest,
    split,
};

/// The loop steps of one invocation for one block of channels.
const LOOP_STEPS_PER_BLOCK: u64 = 1 + (TILE_K + 1);

struct FusedTiled<'a> {
    g: &'a Geometry,
    limits: &'a DeviceLimits,
    variant: &'static fused_tiled::Variant,
    layout: Layout,
    packed_weight: Scratch,
    padded_channels: u64,
    padded_rows: u64,
    /// The number of parts of each sum.
    splits: u64,
    /// Blocks of each part. A block is TILE_K channels of one tap of one segment.
    blocks_per_split: u64,
    /// Elements of the partial sums of one image. 0 if the sums are not split.
    partial_of_image: u64,
    /// The packed input, if the kernel reads that.
    planes: Option<BorderedPlanes<'a>>,
}

/// Plans the call by the kernel `variant`, whose first binding is the packed input if `packed` says so.
pub(super) fn plan(
    g: &Geometry,
    options: &Options,
    limits: &DeviceLimits,
    variant: &'static fused_tiled::Variant,
    splits: u32,
    packed: bool,
) -> Result<Plan> {
    let images_in_binding = Images::new(g, limits).per_step()?.min(g.batch as u64);
    let fused = FusedTiled::new(g, limits, variant, splits, packed)?;
    let window = limits.max_window_elements();
    if fused.partial_of_image > window {
        let partial = fused.partial_of_image;
        return Err(binding_too_large("one image's partial sums", Storage::F32, partial, window));
    }
    let needed = fused.bytes(1);
    if needed > options.workspace_limit {
        return Err(Error::WorkspaceTooSmall { needed, got: options.workspace_limit });
    }
    let images_per_step = largest(images_in_binding, |images| {
        images.saturating_mul(fused.partial_of_image) <= window
            && fused.packed_input(images).is_none_or(|scratch| limits.hold(&scratch))
            && fused.bytes(images) <= options.workspace_limit
    });

    let workspace_bytes = fused.partial_of_image * images_per_step * F32_BYTES;
    let scratch = [fused.packed_weight].into_iter().chain(fused.packed_input(images_per_step)).collect();
    let mut plan = Plan { weight_steps: 1, workspace_bytes, scratch, ..Plan::default() };
    plan.push(fused.pack_weight()?)?;
    for images in split(0..g.batch as u64, images_per_step) {
        if let Some(planes) = fused.planes {
            plan.push(planes.pack(limits, &images)?)?;
        }
        plan.push(fused.multiply(&images)?)?;
        if fused.splits > 1 {
            plan.push(fused.reduce(&images)?)?;
        }
    }
    Ok(plan)
}

impl<'a> FusedTiled<'a> {
    fn new(
        g: &'a Geometry,
        limits: &'a DeviceLimits,
        variant: &'static fused_tiled::Variant,
        splits: u32,
        packed: bool,
    ) -> Result<Self> {
        let layout = Layout::new(g, false);
        let padded_channels = layout.segment_channels.next_multiple_of(TILE_K);
        let padded_rows = layout.rows.next_multiple_of(4);
        let group_rows = layout.segments_per_group * g.taps() as u64 * padded_channels;
        let packed_elements = g.groups as u64 * group_rows * padded_rows;
        let largest = packed_elements.max(g.weight_elements() as u64);
        limits.check_elements("the packed weight", Storage::F32, largest)?;
        let packed_weight = Scratch { name: "packed_weight", size: Size::Bytes(packed_elements * F32_BYTES) };

        // Splits keep loops short, and every split has work. A tap costs an iteration of the outer loop and an entry
        // into the inner loop, and has at least one block.
        let blocks = group_rows / TILE_K;
        let blocks_per_loop = (MAX_LOOP_STEPS - 1) / (LOOP_STEPS_PER_BLOCK + 2);
        // The last step adds the parts in one loop.
        let asked = u64::from(splits).clamp(1, MAX_LOOP_STEPS - 1);
        let splits = asked.max(blocks.div_ceil(blocks_per_loop)).min(blocks);
        let blocks_per_split = blocks.div_ceil(splits);
        let splits = blocks.div_ceil(blocks_per_split);
        let partial_of_image = if splits > 1 { splits * Images::new(g, limits).output } else { 0 };
        let fused = Self {
            g,
            limits,
            variant,
            layout,
            packed_weight,
            padded_channels,
            padded_rows,
            splits,
            blocks_per_split,
            partial_of_image,
            planes: packed.then(|| BorderedPlanes::new(g, layout)),
        };
        if let Some(scratch) = fused.packed_input(1).filter(|scratch| !limits.hold(scratch)) {
            let (elements, most) = (scratch.bytes() / F32_BYTES, limits.max_window_elements());
            return Err(binding_too_large("one image's packed input", Storage::F32, elements, most));
        }
        Ok(fused)
    }

    /// Returns the bytes of the scratch memory and of the partial sums for so many images at a time.
    fn bytes(&self, images: u64) -> u64 {
        let packed = self.packed_input(images).map_or(0, |scratch| scratch.bytes());
        self.packed_weight.bytes() + packed + images * self.partial_of_image * F32_BYTES
    }

    fn packed_input(&self, images: u64) -> Option<Scratch> {
        self.planes.map(|planes| planes.buffer(images))
    }

    fn pack_weight(&self) -> Result<Step> {
        let g = self.g;
        let packs = self.packed_weight.bytes() / F32_BYTES / 4;
        let params = pack_weight_rows::Params {
            rows: self.layout.rows,
            padded_rows: self.padded_rows,
            segments_per_group: self.layout.segments_per_group,
            segment_channels: self.layout.segment_channels,
            padded_channels: self.padded_channels,
            taps: g.taps() as u64,
            packs,
        };
        let windows = vec![windows::weight(g, self.limits), self.packed_weight.window()];
        let workgroups = pack_weight_rows::KERNEL.workgroups(packs);
        self.limits.step(&pack_weight_rows::KERNEL, g.specialization(), params, windows, workgroups)
    }

    fn multiply(&self, images: &Range<u64>) -> Result<Step> {
        let g = self.g;
        let all = Images::new(g, self.limits);
        let (input, input_image_stride, input_base) = if let Some(planes) = self.planes {
            (planes.buffer(images.len()).window(), planes.image_stride(), 0)
        } else {
            let (input, base) = all.input(images);
            (input, all.input, base)
        };
        let others = all.windows(images);
        let columns = images.len() * g.out_pixels() as u64;
        let column_tiles = columns.div_ceil(self.variant.tile_n);
        let row_tiles = self.layout.rows.div_ceil(self.variant.tile_m);
        // Partial sums are f32 for every storage of the output.
        let (specialization, (output, output_base)) = if self.splits > 1 {
            let partial = self.limits.window(WORKSPACE, 0, self.partial_of_image * images.len());
            (Specialization { output: Storage::F32, ..g.specialization() }, partial)
        } else {
            (g.specialization(), others.output)
        };
        let params = fused_tiled::Params {
            geometry: g.tap_geometry(),
            segments_per_group: self.layout.segments_per_group,
            segments_per_offset_group: self.layout.segments_per_offset_group,
            segment_channels: self.layout.segment_channels,
            padded_channels: self.padded_channels,
            rows: self.layout.rows,
            padded_rows: self.padded_rows,
            columns,
            column_tiles,
            row_tiles,
            groups: g.groups as u64,
            splits: self.splits,
            blocks_per_split: self.blocks_per_split,
            input_image_stride,
            offset_image_stride: all.offset,
            mask_image_stride: all.mask,
            output_image_stride: all.output,
            input_base,
            offset_base: others.offset.1,
            mask_base: others.mask.1,
            output_base,
            has_mask: g.has_mask.into(),
            has_bias: g.has_bias.into(),
        };
        let bound = vec![input, self.packed_weight.window(), others.offset.0, others.mask.0, others.bias, output];
        let workgroups = column_tiles * row_tiles * g.groups as u64 * self.splits;
        self.limits.step(&self.variant.kernel, specialization, params, bound, workgroups)
    }

    /// Plans the step that adds the partial sums.
    fn reduce(&self, images: &Range<u64>) -> Result<Step> {
        let g = self.g;
        let all = Images::new(g, self.limits);
        let others = all.windows(images);
        let outputs = images.len() * all.output;
        let (partial, _) = self.limits.window(WORKSPACE, 0, self.partial_of_image * images.len());
        let params = reduce::Params {
            out_channels: g.out_channels as u64,
            out_pixels: g.out_pixels() as u64,
            columns: images.len() * g.out_pixels() as u64,
            outputs,
            splits: self.splits,
            output_base: others.output.1,
            has_bias: g.has_bias.into(),
        };
        let windows = vec![partial, others.bias, others.output.0];
        self.limits.step(&reduce::KERNEL, g.specialization(), params, windows, reduce::KERNEL.workgroups(outputs))
    }
}
