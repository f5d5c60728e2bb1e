//! The gradient of the input: the entries put in order, and gathered.

use std::ops::Range;

use super::Backward;
use super::sizes::Sizes;
use super::steps::padded;
use crate::Result;
use crate::kernel::Sampling;
use crate::kernel::backward::{col2im, columns_layout, grad_input};
use crate::kernel::forward::fused_subgroup;
use crate::kernel::sort::{count, partition, scan, scatter};
use crate::ops::deform_conv2d::plan::Len;
use crate::ops::deform_conv2d::plan::images::unread;
use crate::ops::deform_conv2d::plan::packed_input::Chunk;
use crate::plan::{MAX_LOOP_STEPS, Step, Window};

/// Partitions of all offset groups that a sort in one pass has on a CPU: at least two vectors of 8, so that two cores have work.
const LEAST_PARTITIONS: u64 = 16;
/// As many as it has at the most, but for what makes each offset group's a whole number.
const MOST_PARTITIONS: u64 = 64;

/// What a pass of the sort goes by: bucket = column · column_step + row · row_step, of the cell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Key {
    /// What it writes.
    pub(super) order: &'static str,
    /// Buckets of an offset group.
    pub(super) buckets: u64,
    pub(super) column_step: u64,
    pub(super) row_step: u64,
}

/// Buckets of the pass that has the most.
pub(super) fn most_buckets(keys: &[Key]) -> u64 {
    keys.iter().map(|key| key.buckets).max().unwrap_or(1)
}

impl Backward<'_> {
    /// Whether taps are put in order: where the input's gradient is wanted, and they lie anywhere.
    pub(super) fn needs_order(&self) -> bool {
        self.modes.input.wanted() && self.g.sampling == Sampling::Deformed
    }

    /// What the passes of the sort go by, in order: the cell, or its column and then its row. The last has a bucket after those of the cells for what
    /// touches no pixel.
    fn keys(&self, one_pass: bool) -> Vec<Key> {
        let [columns, rows] = [self.g.in_width as u64 + 1, self.g.in_height as u64 + 1];
        let by_cell = "order_by_cell";
        if one_pass {
            return vec![Key { order: by_cell, buckets: rows * columns + 1, column_step: 1, row_step: columns }];
        }
        let by_column = Key { order: "order_by_column", buckets: columns, column_step: 1, row_step: 0 };
        vec![by_column, Key { order: by_cell, buckets: rows + 1, column_step: 0, row_step: 1 }]
    }

    /// What puts so many entries of each of so many offset groups in order, and the partitions of an offset group: as many as run at once, and as
    /// its counters allow.
    pub(super) fn passes(&self, entries: u64, offset_groups: u64) -> (Vec<Key>, u64) {
        // The scan's two loops over counters, and one over lanes.
        let counters = MAX_LOOP_STEPS / 3 * scan::KERNEL.workgroup_size;
        // One pass has a counter for every cell and partition, and takes less time than two where these are fewer than half as many as the entries.
        let by_cell = self.keys(true);
        let cells = most_buckets(&by_cell);
        let partitions = (counters.min(entries / 2) / cells).min(MOST_PARTITIONS.div_ceil(offset_groups));
        let one_pass = self.subgroups && partitions * offset_groups >= LEAST_PARTITIONS;
        if one_pass && entries.div_ceil(partitions) + 2 + cells < MAX_LOOP_STEPS {
            return (by_cell, partitions);
        }
        let keys = self.keys(false);
        let at_once = if self.subgroups { 256 } else { 1024 };
        let partitions = at_once.min(entries).min(counters / most_buckets(&keys)).max(1);
        (keys, partitions)
    }

    /// The taps of the window by the cell that each lies in: in one pass, or by column first, then by row.
    pub(super) fn order_entries(&self, sizes: &Sizes, pixels: &Range<u64>, chunk: &Chunk) -> Result<Vec<Step>> {
        let groups = self.offset_groups(chunk).len();
        let entries = self.g.taps() as u64 * padded(pixels);
        let partitions = sizes.partitions;
        let ends = sizes.scratch("entry_ends").window();
        let taps = sizes.scratch("packed_taps").window();
        let mut before = None;
        let mut steps = Vec::new();
        for key in &sizes.keys {
            let params = partition::Params {
                entries,
                buckets: key.buckets,
                partitions,
                entries_per_partition: entries.div_ceil(partitions),
                groups,
                follows: u64::from(before.is_some()),
                column_step: key.column_step,
                row_step: key.row_step,
            };
            let counters = key.buckets * partitions;
            let scan = scan::Params { counters, counters_per_lane: scan::KERNEL.workgroups(counters), groups };
            let order = sizes.scratch(key.order).window();
            let all_partitions = partitions * groups;
            // Something must be bound in the first pass, too, and be no more than read.
            let unread = unread(self.g, self.limits);
            let count = vec![taps, before.unwrap_or(unread), ends];
            let fill = vec![taps, before.unwrap_or(unread), ends, order];
            steps.push(self.step(&count::KERNEL, params, count, count::KERNEL.workgroups(all_partitions))?);
            steps.push(self.step(&scan::KERNEL, scan, vec![ends], groups)?);
            steps.push(self.step(&scatter::KERNEL, params, fill, scatter::KERNEL.workgroups(all_partitions))?);
            before = Some(order);
        }
        Ok(steps)
    }

    /// The gradient of an ordinary convolution's input, whose taps lie on the grid: every pixel knows which columns touched it.
    pub(super) fn col2im(&self, sizes: &Sizes, image: u64, pixels: &Range<u64>, chunk: &Chunk) -> Result<Step> {
        let g = self.g;
        let (grad_input, grad_input_base) = self.grad_input_window(image, chunk);
        let invocations = chunk.packs_in_all() * g.in_pixels() as u64;
        let params = col2im::Params {
            geometry: g.tap_geometry(),
            first_pixel: pixels.start,
            pixels: pixels.len(),
            padded_pixels: padded(pixels),
            segment_channels: self.layout.segment_channels,
            segment_packs: chunk.packs.len(),
            pack_start: chunk.packs.start,
            packs: chunk.packs_in_all(),
            invocations,
            grad_input_base,
        };
        let windows = vec![sizes.scratch("grad_column").window(), grad_input];
        self.step(&col2im::KERNEL, params, windows, col2im::KERNEL.workgroups(invocations))
    }

    /// The channels of a chunk.
    fn grad_input_window(&self, image: u64, chunk: &Chunk) -> (Window, u64) {
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
        let key = sizes.keys.last().copied().unwrap_or_default();
        let (grad_input, grad_input_base) = self.grad_input_window(image, chunk);
        // Rows of cells begin above the first row of pixels.
        let rows = (g.in_height as u64 + 1 - parity).div_ceil(2);
        let packs = chunk.segments.len().min(self.layout.segments_per_offset_group) * chunk.packs.len();
        let (kernel, packs_per_lane) = match (self.layout.depthwise, self.subgroups && packs > 1) {
            (false, false) => (&grad_input::SINGLE, 1),
            (false, true) => (&grad_input::PAIRED, 2),
            (true, false) => (&grad_input::DEPTHWISE_SINGLE, 1),
            (true, true) => (&grad_input::DEPTHWISE_PAIRED, 2),
        };
        // On a CPU the lanes keep to a block of columns: what a row of cells reads of that stays in the cache until the next row has read it, too.
        let most_packs = if self.subgroups { columns_layout::PACKS_PER_BLOCK } else { u64::MAX };
        let lanes = packs.min(most_packs).div_ceil(packs_per_lane).next_power_of_two();
        let lanes_per_row = lanes.min(kernel.workgroup_size);
        let parts = packs.div_ceil(lanes_per_row * packs_per_lane);
        // No eight lanes of two offset groups, whose entries may lie in other cells: their turns would add up where a driver counts a
        // loop's once for a vector.
        let units_per_group = (rows * parts).next_multiple_of(fused_subgroup::SUBGROUP_SIZE.div_ceil(lanes_per_row));
        let units = units_per_group * groups.len();
        let params = grad_input::Params {
            in_height: g.in_height as u64,
            in_width: g.in_width as u64,
            segment_channels: self.layout.segment_channels,
            segment_packs: chunk.packs.len(),
            pack_start: chunk.packs.start,
            segment_start: chunk.segments.start,
            segment_end: chunk.segments.end,
            segments_per_offset_group: self.layout.segments_per_offset_group,
            group_start: groups.start,
            packs: chunk.packs_in_all(),
            all_packs: self.all_packs(),
            first_pack: self.first_pack(chunk),
            tap_shift: self.column_stride(padded(pixels)).trailing_zeros().into(),
            entries: g.taps() as u64 * padded(pixels),
            counters: key.buckets * sizes.partitions,
            counters_per_row: key.row_step * sizes.partitions,
            parity,
            rows,
            lanes_per_row,
            units_per_group,
            units,
            grad_input_base,
        };
        let scratch = |name| sizes.scratch(name).window();
        let (gradient, last) =
            if self.layout.depthwise { ("packed_grad_output", Some("packed_weight")) } else { ("grad_column", None) };
        let windows = ["packed_taps", gradient, key.order, "entry_ends"].map(scratch).into_iter();
        let windows = windows.chain([grad_input]).chain(last.map(scratch)).collect();
        self.step(kernel, params, windows, kernel.workgroups(units * lanes_per_row))
    }
}
