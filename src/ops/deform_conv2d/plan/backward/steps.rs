//! The backward pass's steps.

use std::ops::Range;

use super::Backward;
use super::sizes::{Sizes, grad_weight_tiles};
use crate::Result;
use crate::kernel::backward::{
    grad_column, grad_offset, grad_weight, grad_weight_reduce, pack_taps, pack_weight_columns, pixel_blocks,
};
use crate::kernel::{Kernel, Params, Sampling, Storage};
use crate::ops::deform_conv2d::BorderGradient;
use crate::ops::deform_conv2d::plan::Len;
use crate::ops::deform_conv2d::plan::images::unread;
use crate::ops::deform_conv2d::plan::packed_input::{Chunk, PACK};
use crate::plan::{Step, WORKSPACE, Window};

impl Backward<'_> {
    pub(super) fn pack_weight(&self, sizes: &Sizes, chunk: &Chunk) -> Result<Step> {
        let layout = &self.layout;
        let packs = chunk.packs_in_all();
        let invocations =
            layout.row_packs * packs * PACK * (self.g.taps() as u64).div_ceil(grad_weight_reduce::TAPS_PER_INVOCATION);
        let params = pack_weight_columns::Params {
            segment_channels: layout.segment_channels,
            segment_packs: chunk.packs.len(),
            segment_start: chunk.segments.start,
            pack_start: chunk.packs.start,
            segments_per_group: layout.segments_per_group,
            packs,
            taps: self.g.taps() as u64,
            rows: layout.rows,
            row_packs: layout.row_packs,
        };
        let (weight, _) = self.limits.operand_window(self.g.storage, "weight", 0, self.g.weight_elements() as u64);
        let windows = vec![weight, sizes.scratch("packed_weight_columns").window()];
        self.step(&pack_weight_columns::KERNEL, params, windows, pack_weight_columns::KERNEL.workgroups(invocations))
    }

    pub(super) fn grad_column(&self, sizes: &Sizes, pixels: &Range<u64>, chunk: &Chunk) -> Result<Step> {
        let layout = &self.layout;
        let kernel = if self.subgroups { &grad_column::SUBGROUP.kernel } else { &grad_column::PORTABLE.kernel };
        let groups = self.groups(chunk);
        let group_packs = (chunk.segments.len().min(layout.segments_per_group)) * chunk.packs.len();
        let pack_blocks = group_packs.div_ceil(grad_column::PACKS_PER_INVOCATION);
        let pixel_blocks = padded(pixels).div_ceil(kernel.workgroup_size * grad_column::PIXELS_PER_INVOCATION);
        let total = pixel_blocks * self.g.taps() as u64 * pack_blocks * groups.len();
        let weight = self.weight_chunk(chunk);
        let params = grad_column::Params {
            taps: self.g.taps() as u64,
            weight_packs: weight.packs_in_all(),
            first_pack: self.first_pack(chunk) - self.first_pack(&weight),
            packs: chunk.packs_in_all(),
            segment_packs: chunk.packs.len(),
            segment_start: chunk.segments.start,
            segment_end: chunk.segments.end,
            segments_per_group: layout.segments_per_group,
            group_start: groups.start,
            pack_blocks,
            row_packs: layout.row_packs,
            all_row_packs: groups.len() * layout.row_packs,
            padded_pixels: padded(pixels),
            pixel_blocks,
            workgroups: total,
        };
        let operands = ["packed_grad_output", "packed_weight_columns", "grad_column"];
        self.step(kernel, params, operands.map(|name| sizes.scratch(name).window()).to_vec(), total)
    }

    /// Where the taps of the chunk's offset groups lie.
    pub(super) fn pack_taps(&self, sizes: &Sizes, image: u64, pixels: &Range<u64>, chunk: &Chunk) -> Result<Step> {
        let g = self.g;
        let groups = self.offset_groups(chunk);
        let tap_blocks = (g.taps() as u64).div_ceil(pack_taps::TAPS_PER_INVOCATION);
        let invocations = padded(pixels) * tap_blocks * groups.len();
        let offset = self.offset(image, &groups);
        let mask = self.mask(image, &groups, offset.0);
        let params = pack_taps::Params {
            geometry: g.tap_geometry(),
            first_pixel: pixels.start,
            pixels: pixels.len(),
            padded_pixels: padded(pixels),
            column_stride: self.column_stride(padded(pixels)),
            tap_blocks,
            invocations,
            offset_base: offset.1,
            mask_base: mask.1,
            has_mask: u64::from(g.has_mask),
        };
        let windows = vec![offset.0, mask.0, sizes.scratch("packed_taps").window()];
        self.step(&pack_taps::KERNEL, params, windows, pack_taps::KERNEL.workgroups(invocations))
    }

    pub(super) fn grad_offset(&self, sizes: &Sizes, image: u64, pixels: &Range<u64>, chunk: &Chunk) -> Result<Step> {
        let g = self.g;
        let groups = self.offset_groups(chunk);
        let invocations = padded(pixels) * g.taps() as u64 * groups.len();
        let unwanted = |name| (sizes.scratch(name).window(), 0);
        let grad_offset = if self.modes.offset.wanted() {
            self.taps("grad_offset", Storage::F32, 2, image, &groups)
        } else {
            unwanted("no_grad_offset")
        };
        let grad_mask = if self.modes.mask.wanted() {
            self.taps("grad_mask", Storage::F32, 1, image, &groups)
        } else {
            unwanted("no_grad_mask")
        };
        let params = grad_offset::Params {
            in_height: g.in_height as u64,
            in_width: g.in_width as u64,
            taps: g.taps() as u64,
            out_pixels: g.out_pixels() as u64,
            first_pixel: pixels.start,
            pixels: pixels.len(),
            padded_pixels: padded(pixels),
            column_stride: self.column_stride(padded(pixels)),
            tap_shift: self.column_stride(padded(pixels)).trailing_zeros().into(),
            packs: chunk.packs_in_all(),
            segment_packs: chunk.packs.len(),
            all_packs: self.all_packs(),
            first_pack: self.first_pack(chunk),
            segment_start: chunk.segments.start,
            segment_end: chunk.segments.end,
            segments_per_offset_group: self.layout.segments_per_offset_group,
            group_start: groups.start,
            invocations,
            grad_offset_base: grad_offset.1,
            grad_mask_base: grad_mask.1,
            follows: u64::from(chunk.packs.start > 0),
            wants_offset: u64::from(self.modes.offset.wanted()),
            wants_mask: u64::from(self.modes.mask.wanted()),
            adds_offset: self.modes.offset.adds(),
            adds_mask: self.modes.mask.adds(),
            zero_at_border: u64::from(self.options.border_gradient == BorderGradient::Mmcv),
        };
        let scratch = |name| sizes.scratch(name).window();
        let (kernel, gradient, last) = match (self.layout.depthwise, self.stores_columns()) {
            (true, _) => (&grad_offset::DEPTHWISE, "packed_grad_output", Some("packed_weight")),
            (false, true) => (&grad_offset::KEEPS_COLUMNS, "grad_column", Some("columns")),
            (false, false) => (&grad_offset::DROPS_COLUMNS, "grad_column", None),
        };
        let windows = ["packed_input", gradient, "packed_taps"].map(scratch).into_iter();
        let windows = windows.chain([grad_offset.0, grad_mask.0]).chain(last.map(scratch)).collect();
        self.step(kernel, params, windows, kernel.workgroups(invocations))
    }

    pub(super) fn grad_weight(&self, sizes: &Sizes, pixels: &Range<u64>, chunk: &Chunk) -> Result<Vec<Step>> {
        let (layout, tile) = (&self.layout, &sizes.tile);
        let taps = self.g.taps() as u64;
        let groups = self.groups(chunk);
        let group_packs = chunk.segments.len().min(layout.segments_per_group) * chunk.packs.len();
        let [row_tiles, column_tiles] = grad_weight_tiles(layout, tile, group_packs * taps);
        let tiles = groups.len() * row_tiles * column_tiles;
        let pixel_blocks = padded(pixels) / pixel_blocks::BLOCK_PIXELS;
        let turns = sizes.turns(padded(pixels));
        let total = tiles * sizes.splits;
        let params = grad_weight::Params {
            taps,
            in_height: self.g.in_height as u64,
            packs: chunk.packs_in_all(),
            segment_packs: chunk.packs.len(),
            segment_start: chunk.segments.start,
            segment_end: chunk.segments.end,
            segments_per_group: layout.segments_per_group,
            segments_per_offset_group: layout.segments_per_offset_group,
            group_start: groups.start,
            groups: groups.len(),
            row_packs: layout.row_packs,
            all_row_packs: groups.len() * layout.row_packs,
            pixel_blocks,
            turns_per_split: turns.div_ceil(sizes.splits),
            column_tiles,
            row_tiles,
            workgroups: total,
        };
        let partial = Window { operand: WORKSPACE, start: 0, bytes: sizes.partial_bytes };
        let columns: &[_] = if self.stores_columns() { &["columns"] } else { &["packed_input", "packed_taps"] };
        let scratch = |name: &&'static str| sizes.scratch(name).window();
        let windows = [scratch(&"packed_grad_output"), partial].into_iter().chain(columns.iter().map(scratch));
        let windows = windows.collect();
        let invocations = layout.rows * chunk.packs_in_all() * taps.div_ceil(grad_weight_reduce::TAPS_PER_INVOCATION);
        let reduce = grad_weight_reduce::Params {
            taps,
            segment_channels: layout.segment_channels,
            segment_packs: chunk.packs.len(),
            pack_start: chunk.packs.start,
            segment_start: chunk.segments.start,
            segment_end: chunk.segments.end,
            segments_per_group: layout.segments_per_group,
            group_start: groups.start,
            groups: groups.len(),
            rows: layout.rows,
            row_packs_per_tile: tile.row_packs,
            column_packs_per_tile: tile.lanes,
            column_tiles,
            row_tiles,
            splits: sizes.splits,
        };
        let (grad_weight, _) = self.limits.window("grad_weight", 0, self.g.weight_elements() as u64);
        let sum = grad_weight_reduce::KERNEL.workgroups(invocations);
        Ok(vec![
            self.step(&tile.kernel, params, windows, total)?,
            self.step(&grad_weight_reduce::KERNEL, reduce, vec![partial, grad_weight], sum)?,
        ])
    }

    /// The offset groups that a chunk lies in.
    pub(super) fn offset_groups(&self, chunk: &Chunk) -> Range<u64> {
        let per_group = self.layout.segments_per_offset_group;
        chunk.segments.start / per_group..(chunk.segments.end - 1) / per_group + 1
    }

    pub(super) fn all_packs(&self) -> u64 {
        self.layout.segments * self.layout.segment_packs
    }

    /// The number of a chunk's first pack among all.
    pub(super) fn first_pack(&self, chunk: &Chunk) -> u64 {
        chunk.segments.start * self.layout.segment_packs + chunk.packs.start
    }

    /// The channels of the packed weight, where a chunk's are among them.
    pub(super) fn weight_chunk(&self, chunk: &Chunk) -> Chunk {
        if self.whole_weight {
            return Chunk { segments: 0..self.layout.segments, packs: 0..self.layout.segment_packs };
        }
        chunk.clone()
    }

    /// The output channels that a chunk's gradients come from: their weight groups', whole; of a depthwise convolution the same.
    pub(super) fn out_channels(&self, chunk: &Chunk) -> Chunk {
        if self.layout.depthwise {
            return chunk.clone();
        }
        Chunk { segments: self.groups(chunk), packs: 0..self.layout.row_packs }
    }

    /// The weight groups that a chunk lies in.
    fn groups(&self, chunk: &Chunk) -> Range<u64> {
        let per_group = self.layout.segments_per_group;
        chunk.segments.start / per_group..(chunk.segments.end - 1) / per_group + 1
    }

    /// The window over some offset groups' planes, `planes` for each tap.
    pub(super) fn taps(
        &self,
        operand: &'static str,
        storage: Storage,
        planes: u64,
        image: u64,
        groups: &Range<u64>,
    ) -> (Window, u64) {
        let group = planes * (self.g.taps() * self.g.out_pixels()) as u64;
        let first = (image * self.g.offset_groups as u64 + groups.start) * group;
        self.limits.operand_window(storage, operand, first, groups.len() * group)
    }

    /// The same of the offset. Without one something must be bound.
    pub(super) fn offset(&self, image: u64, groups: &Range<u64>) -> (Window, u64) {
        match self.g.sampling {
            Sampling::Deformed => self.taps("offset", self.g.storage, 2, image, groups),
            Sampling::Regular => (unread(self.g, self.limits), 0),
        }
    }

    /// Without a mask something must be bound; the kernels do not read it.
    pub(super) fn mask(&self, image: u64, groups: &Range<u64>, unread: Window) -> (Window, u64) {
        if self.g.has_mask { self.taps("mask", self.g.storage, 1, image, groups) } else { (unread, 0) }
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

/// A window's pixels, filled up to whole blocks.
pub(super) fn padded(pixels: &Range<u64>) -> u64 {
    pixels.len().next_multiple_of(pixel_blocks::BLOCK_PIXELS)
}
