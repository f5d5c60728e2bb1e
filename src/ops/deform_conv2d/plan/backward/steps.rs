//! The backward pass's steps.

use std::ops::Range;

use super::Backward;
use super::sizes::{Sizes, grad_weight_tiles, workgroups};
use crate::Result;
use crate::kernel::deform_conv2d::{
    BLOCK_PIXELS, GRAD_COLUMN, GRAD_COLUMN_PIXELS, GRAD_COLUMN_QUADS, GRAD_COLUMN_SUBGROUP, GRAD_OFFSET,
    GRAD_OFFSET_COLUMNS, GRAD_OFFSET_DEPTHWISE, GRAD_WEIGHT_REDUCE, GradColumnParams, GradOffsetParams,
    GradWeightParams, GradWeightReduceParams, PACK_TAPS, PACK_WEIGHT_COLUMNS, PackTapsParams, PackWeightColumnsParams,
    TAPS_PER_INVOCATION, WEIGHT_TAPS,
};
use crate::kernel::{Kernel, Sampling, Storage};
use crate::ops::deform_conv2d::BorderGradient;
use crate::ops::deform_conv2d::plan::Len;
use crate::ops::deform_conv2d::plan::images::unread;
use crate::ops::deform_conv2d::plan::packed_input::{Chunk, QUAD};
use crate::plan::{Step, WORKSPACE, Window};

impl Backward<'_> {
    pub(super) fn pack_weight(&self, sizes: &Sizes, chunk: &Chunk) -> Result<Step> {
        let layout = &self.layout;
        let quads = chunk.quads_in_all();
        let invocations = layout.row_quads * quads * QUAD * (self.g.taps() as u64).div_ceil(u64::from(WEIGHT_TAPS));
        let params = PackWeightColumnsParams {
            segment_channels: layout.segment_channels as u32,
            segment_quads: chunk.quads.len() as u32,
            segment_start: chunk.segments.start as u32,
            quad_start: chunk.quads.start as u32,
            segments_per_group: layout.segments_per_group as u32,
            quads: quads as u32,
            taps: self.g.taps() as u32,
            rows: layout.rows as u32,
            row_quads: layout.row_quads as u32,
        };
        let (weight, _) = self.limits.operand_window(self.g.storage, "weight", 0, self.g.weight_elements() as u64);
        let windows = vec![weight, sizes.scratch("packed_weight_columns").window()];
        self.step(&PACK_WEIGHT_COLUMNS, params.words(), windows, workgroups(&PACK_WEIGHT_COLUMNS, invocations))
    }

    pub(super) fn grad_column(&self, sizes: &Sizes, pixels: &Range<u64>, chunk: &Chunk) -> Result<Step> {
        let layout = &self.layout;
        let kernel = if self.subgroups { &GRAD_COLUMN_SUBGROUP } else { &GRAD_COLUMN };
        let groups = self.groups(chunk);
        let group_quads = (chunk.segments.len().min(layout.segments_per_group)) * chunk.quads.len();
        let quad_blocks = group_quads.div_ceil(u64::from(GRAD_COLUMN_QUADS));
        let pixel_blocks = padded(pixels).div_ceil(u64::from(kernel.workgroup_size * GRAD_COLUMN_PIXELS));
        let total = pixel_blocks * self.g.taps() as u64 * quad_blocks * groups.len();
        let weight = self.weight_chunk(chunk);
        let params = GradColumnParams {
            taps: self.g.taps() as u32,
            weight_quads: weight.quads_in_all() as u32,
            first_quad: (self.first_quad(chunk) - self.first_quad(&weight)) as u32,
            quads: chunk.quads_in_all() as u32,
            segment_quads: chunk.quads.len() as u32,
            segment_start: chunk.segments.start as u32,
            segment_end: chunk.segments.end as u32,
            segments_per_group: layout.segments_per_group as u32,
            group_start: groups.start as u32,
            quad_blocks: quad_blocks as u32,
            row_quads: layout.row_quads as u32,
            all_row_quads: (groups.len() * layout.row_quads) as u32,
            padded_pixels: padded(pixels) as u32,
            pixel_blocks: pixel_blocks as u32,
            workgroups: total as u32,
        };
        let operands = ["packed_grad_output", "packed_weight_columns", "grad_column"];
        self.step(kernel, params.words(), operands.map(|name| sizes.scratch(name).window()).to_vec(), total)
    }

    /// Where the taps of the chunk's offset groups lie.
    pub(super) fn pack_taps(&self, sizes: &Sizes, image: u64, pixels: &Range<u64>, chunk: &Chunk) -> Result<Step> {
        let g = self.g;
        let groups = self.offset_groups(chunk);
        let tap_blocks = (g.taps() as u64).div_ceil(u64::from(TAPS_PER_INVOCATION));
        let invocations = padded(pixels) * tap_blocks * groups.len();
        let offset = self.offset(image, &groups);
        let mask = self.mask(image, &groups, offset.0);
        let params = PackTapsParams {
            geometry: g.tap_geometry(),
            first_pixel: pixels.start as u32,
            pixels: pixels.len() as u32,
            padded_pixels: padded(pixels) as u32,
            column_stride: self.column_stride(padded(pixels)) as u32,
            tap_blocks: tap_blocks as u32,
            invocations: invocations as u32,
            offset_base: offset.1,
            mask_base: mask.1,
            has_mask: u32::from(g.has_mask),
        };
        let windows = vec![offset.0, mask.0, sizes.scratch("packed_taps").window()];
        self.step(&PACK_TAPS, params.words(), windows, workgroups(&PACK_TAPS, invocations))
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
        let params = GradOffsetParams {
            in_height: g.in_height as u32,
            in_width: g.in_width as u32,
            taps: g.taps() as u32,
            out_pixels: g.out_pixels() as u32,
            first_pixel: pixels.start as u32,
            pixels: pixels.len() as u32,
            padded_pixels: padded(pixels) as u32,
            column_stride: self.column_stride(padded(pixels)) as u32,
            tap_shift: self.column_stride(padded(pixels)).trailing_zeros(),
            quads: chunk.quads_in_all() as u32,
            segment_quads: chunk.quads.len() as u32,
            all_quads: self.all_quads() as u32,
            first_quad: self.first_quad(chunk) as u32,
            segment_start: chunk.segments.start as u32,
            segment_end: chunk.segments.end as u32,
            segments_per_offset_group: self.layout.segments_per_offset_group as u32,
            group_start: groups.start as u32,
            invocations: invocations as u32,
            grad_offset_base: grad_offset.1,
            grad_mask_base: grad_mask.1,
            follows: u32::from(chunk.quads.start > 0),
            wants_offset: u32::from(self.modes.offset.wanted()),
            wants_mask: u32::from(self.modes.mask.wanted()),
            adds_offset: self.modes.offset.adds(),
            adds_mask: self.modes.mask.adds(),
            zero_at_border: u32::from(self.options.border_gradient == BorderGradient::Mmcv),
        };
        let scratch = |name| sizes.scratch(name).window();
        let (kernel, gradient, last) = match (self.layout.depthwise, self.stores_columns()) {
            (true, _) => (&GRAD_OFFSET_DEPTHWISE, "packed_grad_output", Some("packed_weight")),
            (false, true) => (&GRAD_OFFSET_COLUMNS, "grad_column", Some("columns")),
            (false, false) => (&GRAD_OFFSET, "grad_column", None),
        };
        let windows = ["packed_input", gradient, "packed_taps"].map(scratch).into_iter();
        let windows = windows.chain([grad_offset.0, grad_mask.0]).chain(last.map(scratch)).collect();
        self.step(kernel, params.words(), windows, workgroups(kernel, invocations))
    }

    pub(super) fn grad_weight(&self, sizes: &Sizes, pixels: &Range<u64>, chunk: &Chunk) -> Result<Vec<Step>> {
        let (layout, tile) = (&self.layout, &sizes.tile);
        let taps = self.g.taps() as u64;
        let groups = self.groups(chunk);
        let group_quads = chunk.segments.len().min(layout.segments_per_group) * chunk.quads.len();
        let [row_tiles, column_tiles] = grad_weight_tiles(layout, tile, group_quads * taps);
        let tiles = groups.len() * row_tiles * column_tiles;
        let pixel_blocks = padded(pixels) / u64::from(BLOCK_PIXELS);
        let turns = sizes.turns(padded(pixels));
        let total = tiles * sizes.splits;
        let params = GradWeightParams {
            taps: taps as u32,
            in_height: self.g.in_height as u32,
            quads: chunk.quads_in_all() as u32,
            segment_quads: chunk.quads.len() as u32,
            segment_start: chunk.segments.start as u32,
            segment_end: chunk.segments.end as u32,
            segments_per_group: layout.segments_per_group as u32,
            segments_per_offset_group: layout.segments_per_offset_group as u32,
            group_start: groups.start as u32,
            groups: groups.len() as u32,
            row_quads: layout.row_quads as u32,
            all_row_quads: (groups.len() * layout.row_quads) as u32,
            pixel_blocks: pixel_blocks as u32,
            turns_per_split: turns.div_ceil(sizes.splits) as u32,
            column_tiles: column_tiles as u32,
            row_tiles: row_tiles as u32,
            workgroups: total as u32,
        };
        let partial = Window { operand: WORKSPACE, start: 0, bytes: sizes.partial_bytes };
        let columns: &[_] = if self.stores_columns() { &["columns"] } else { &["packed_input", "packed_taps"] };
        let scratch = |name: &&'static str| sizes.scratch(name).window();
        let windows = [scratch(&"packed_grad_output"), partial].into_iter().chain(columns.iter().map(scratch));
        let windows = windows.collect();
        let invocations = layout.rows * chunk.quads_in_all() * taps.div_ceil(u64::from(WEIGHT_TAPS));
        let reduce = GradWeightReduceParams {
            taps: taps as u32,
            segment_channels: layout.segment_channels as u32,
            segment_quads: chunk.quads.len() as u32,
            quad_start: chunk.quads.start as u32,
            segment_start: chunk.segments.start as u32,
            segment_end: chunk.segments.end as u32,
            segments_per_group: layout.segments_per_group as u32,
            group_start: groups.start as u32,
            groups: groups.len() as u32,
            rows: layout.rows as u32,
            row_quads_per_tile: tile.row_quads,
            column_quads_per_tile: tile.column_quads(),
            column_tiles: column_tiles as u32,
            row_tiles: row_tiles as u32,
            splits: sizes.splits as u32,
        };
        let (grad_weight, _) = self.limits.window("grad_weight", 0, self.g.weight_elements() as u64);
        let sum = workgroups(&GRAD_WEIGHT_REDUCE, invocations);
        Ok(vec![
            self.step(tile.kernel, params.words(), windows, total)?,
            self.step(&GRAD_WEIGHT_REDUCE, reduce.words(), vec![partial, grad_weight], sum)?,
        ])
    }

    /// The offset groups that a chunk lies in.
    pub(super) fn offset_groups(&self, chunk: &Chunk) -> Range<u64> {
        let per_group = self.layout.segments_per_offset_group;
        chunk.segments.start / per_group..(chunk.segments.end - 1) / per_group + 1
    }

    pub(super) fn all_quads(&self) -> u64 {
        self.layout.segments * self.layout.segment_quads
    }

    /// The number of a chunk's first quad among all.
    pub(super) fn first_quad(&self, chunk: &Chunk) -> u64 {
        chunk.segments.start * self.layout.segment_quads + chunk.quads.start
    }

    /// The channels of the packed weight, where a chunk's are among them.
    pub(super) fn weight_chunk(&self, chunk: &Chunk) -> Chunk {
        if self.whole_weight {
            return Chunk { segments: 0..self.layout.segments, quads: 0..self.layout.segment_quads };
        }
        chunk.clone()
    }

    /// The output channels that a chunk's gradients come from: their weight groups', whole; of a depth-wise convolution the same.
    pub(super) fn out_channels(&self, chunk: &Chunk) -> Chunk {
        if self.layout.depthwise {
            return chunk.clone();
        }
        Chunk { segments: self.groups(chunk), quads: 0..self.layout.row_quads }
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
    ) -> (Window, u32) {
        let group = planes * (self.g.taps() * self.g.out_pixels()) as u64;
        let first = (image * self.g.offset_groups as u64 + groups.start) * group;
        self.limits.operand_window(storage, operand, first, groups.len() * group)
    }

    /// The same of the offset. Without one something must be bound.
    pub(super) fn offset(&self, image: u64, groups: &Range<u64>) -> (Window, u32) {
        match self.g.sampling {
            Sampling::Deformed => self.taps("offset", self.g.storage, 2, image, groups),
            Sampling::Regular => (unread(self.g, self.limits), 0),
        }
    }

    /// Without a mask something must be bound; the kernels do not read it.
    pub(super) fn mask(&self, image: u64, groups: &Range<u64>, unread: Window) -> (Window, u32) {
        if self.g.has_mask { self.taps("mask", self.g.storage, 1, image, groups) } else { (unread, 0) }
    }

    pub(super) fn step(
        &self,
        kernel: &'static Kernel,
        params: Vec<u32>,
        windows: Vec<Window>,
        workgroups: u64,
    ) -> Result<Step> {
        self.limits.step(kernel, self.g.variant(), params, windows, workgroups)
    }
}

/// A window's pixels, filled up to whole blocks.
pub(super) fn padded(pixels: &Range<u64>) -> u64 {
    pixels.len().next_multiple_of(u64::from(BLOCK_PIXELS))
}
