//! The gradient of the input: the entries put in order, and gathered.

use std::ops::Range;

use super::Backward;
use super::sizes::{Sizes, workgroups};
use super::steps::padded;
use crate::Result;
use crate::kernel::conv2d::{COL2IM, Col2imParams};
use crate::kernel::deform_conv2d::{
    BIN_COUNT, BIN_FILL, BIN_SCAN, BinParams, BinScanParams, GRAD_INPUT, GRAD_INPUT_DEPTHWISE,
    GRAD_INPUT_DEPTHWISE_PAIRED, GRAD_INPUT_PAIRED, GradInputParams, SUBGROUP_SIZE,
};
use crate::ops::deform_conv2d::plan::Len;
use crate::ops::deform_conv2d::plan::packed_input::Chunk;
use crate::plan::{Step, Window};

impl Backward<'_> {
    /// The entries of the window, by the cell that each lies in: by column first, then by row.
    pub(super) fn order_entries(
        &self,
        sizes: &Sizes,
        image: u64,
        pixels: &Range<u64>,
        chunk: &Chunk,
    ) -> Result<Vec<Step>> {
        let g = self.g;
        let groups = self.offset_groups(chunk);
        let entries = g.taps() as u64 * pixels.len();
        let walkers = sizes.walkers;
        let offset = self.offset(image, &groups);
        let mask = self.mask(image, &groups, offset.0);
        let ends = sizes.scratch("entry_ends").window();
        let [by_column, by_cell] = ["entries_by_column", "entries_by_cell"].map(|name| sizes.scratch(name).window());
        let mut steps = Vec::new();
        for (pass, bins) in self.bins().into_iter().enumerate() {
            let params = BinParams {
                geometry: g.tap_geometry(),
                first_pixel: pixels.start as u32,
                pixels: pixels.len() as u32,
                column_stride: self.column_stride(padded(pixels)) as u32,
                entries: entries as u32,
                bins: bins as u32,
                walkers: walkers as u32,
                entries_per_walker: entries.div_ceil(walkers) as u32,
                groups: groups.len() as u32,
                by_row: pass as u32,
                offset_base: offset.1,
                mask_base: mask.1,
                has_mask: u32::from(g.has_mask),
            };
            let counters = bins * walkers;
            let scan = BinScanParams {
                counters: counters as u32,
                counters_per_lane: counters.div_ceil(u64::from(BIN_SCAN.workgroup_size)) as u32,
                groups: groups.len() as u32,
            };
            let (source, filled) = if pass == 0 { (by_cell, by_column) } else { (by_column, by_cell) };
            let all_walkers = walkers * groups.len();
            let count_windows = vec![offset.0, source, ends];
            let fill_windows = vec![offset.0, mask.0, source, ends, filled];
            steps.push(self.step(&BIN_COUNT, params.words(), count_windows, workgroups(&BIN_COUNT, all_walkers))?);
            steps.push(self.step(&BIN_SCAN, scan.words(), vec![ends], groups.len())?);
            steps.push(self.step(&BIN_FILL, params.words(), fill_windows, workgroups(&BIN_FILL, all_walkers))?);
        }
        Ok(steps)
    }

    /// The gradient of an ordinary convolution's input, whose taps lie on the grid: every pixel knows which columns touched it.
    pub(super) fn col2im(&self, sizes: &Sizes, image: u64, pixels: &Range<u64>, chunk: &Chunk) -> Result<Step> {
        let g = self.g;
        let (grad_input, grad_input_base) = self.grad_input_window(image, chunk);
        let invocations = chunk.quads_in_all() * g.in_pixels() as u64;
        let params = Col2imParams {
            geometry: g.tap_geometry(),
            first_pixel: pixels.start as u32,
            pixels: pixels.len() as u32,
            padded_pixels: padded(pixels) as u32,
            segment_channels: self.layout.segment_channels as u32,
            segment_quads: chunk.quads.len() as u32,
            quad_start: chunk.quads.start as u32,
            quads: chunk.quads_in_all() as u32,
            invocations: invocations as u32,
            grad_input_base,
        };
        let windows = vec![sizes.scratch("grad_column").window(), grad_input];
        self.step(&COL2IM, params.words(), windows, workgroups(&COL2IM, invocations))
    }

    /// The channels of a chunk.
    fn grad_input_window(&self, image: u64, chunk: &Chunk) -> (Window, u32) {
        let in_pixels = self.g.in_pixels() as u64;
        let (first, count) = chunk.channels(self.layout.segment_channels);
        let first = (image * self.g.in_channels as u64 + first) * in_pixels;
        self.limits.window("grad_input", first, count * in_pixels)
    }

    /// The gradient of the input from every other row of cells.
    pub(super) fn grad_input(
        &self,
        sizes: &Sizes,
        image: u64,
        pixels: &Range<u64>,
        chunk: &Chunk,
        parity: u64,
    ) -> Result<Step> {
        let g = self.g;
        let groups = self.offset_groups(chunk);
        let [_, bins] = self.bins();
        let (grad_input, grad_input_base) = self.grad_input_window(image, chunk);
        // Rows of cells begin above the first row of pixels.
        let rows = (g.in_height as u64 + 1 - parity).div_ceil(2);
        let quads = chunk.segments.len().min(self.layout.segments_per_offset_group) * chunk.quads.len();
        let (kernel, quads_per_lane) = match (self.layout.depthwise, self.subgroups && quads > 1) {
            (false, false) => (&GRAD_INPUT, 1),
            (false, true) => (&GRAD_INPUT_PAIRED, 2),
            (true, false) => (&GRAD_INPUT_DEPTHWISE, 1),
            (true, true) => (&GRAD_INPUT_DEPTHWISE_PAIRED, 2),
        };
        let lanes_per_row = quads.div_ceil(quads_per_lane).next_power_of_two().min(u64::from(kernel.workgroup_size));
        let parts = quads.div_ceil(lanes_per_row * quads_per_lane);
        // No eight lanes of two offset groups, whose entries may lie in other cells: their turns would add up where a driver counts a
        // loop's once for a vector.
        let units_per_group = (rows * parts).next_multiple_of(u64::from(SUBGROUP_SIZE).div_ceil(lanes_per_row));
        let units = units_per_group * groups.len();
        let params = GradInputParams {
            in_height: g.in_height as u32,
            in_width: g.in_width as u32,
            segment_channels: self.layout.segment_channels as u32,
            segment_quads: chunk.quads.len() as u32,
            quad_start: chunk.quads.start as u32,
            segment_start: chunk.segments.start as u32,
            segment_end: chunk.segments.end as u32,
            segments_per_offset_group: self.layout.segments_per_offset_group as u32,
            group_start: groups.start as u32,
            quads: chunk.quads_in_all() as u32,
            all_quads: self.all_quads() as u32,
            first_quad: self.first_quad(chunk) as u32,
            tap_shift: self.column_stride(padded(pixels)).trailing_zeros(),
            entries: (g.taps() as u64 * pixels.len()) as u32,
            bins: bins as u32,
            walkers: sizes.walkers as u32,
            parity: parity as u32,
            rows: rows as u32,
            lanes_per_row: lanes_per_row as u32,
            units_per_group: units_per_group as u32,
            units: units as u32,
            grad_input_base,
        };
        let scratch = |name| sizes.scratch(name).window();
        let [column_gradient, packed_weight] = self.column_gradient(sizes);
        let windows =
            vec![scratch("entries_by_cell"), scratch("entry_ends"), column_gradient, grad_input, packed_weight];
        self.step(kernel, params.words(), windows, workgroups(kernel, units * lanes_per_row))
    }
}
