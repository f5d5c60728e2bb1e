//! The sort: it orders entries by the cells that they lie in. `shaders/sort/partition.wgsl` describes the algorithm.
//!
//! An *entry* is the number of a packed tap, and a *cell* is the square between four neighbouring pixels. Entries come
//! in groups, and each group is sorted on its own, in one or two passes. A pass counts the entries of each *bucket*,
//! adds up the counts, and moves every entry to its place. A *partition* is a run of consecutive entries that one
//! invocation walks through.

use crate::error::Result;
use crate::kernel::Specialization;
use crate::kernel::sort::{count, partition, scan, scatter};
use crate::plan::{DeviceLimits, F32_BYTES, MAX_LOOP_STEPS, Scratch, Size, Step, Window};

/// The smallest number of partitions of all groups together with which a CPU sorts in one pass: two vectors of 8, so
/// that two cores have work.
const LEAST_PARTITIONS: u64 = 16;
/// The largest number of partitions of all groups together in one pass, before the number per group is rounded up.
const MOST_PARTITIONS: u64 = 64;
/// The largest number of partitions of a group in two passes, on a CPU.
const PARTITIONS_OF_CPU: u64 = 256;
/// The largest number of partitions of a group in two passes, on other devices.
const PARTITIONS: u64 = 1024;

/// The sort of at most `entries` entries of each of at most `groups` groups.
pub(super) struct Sort {
    first: Option<SortPass>,
    last: SortPass,
    entries: u64,
    groups: u64,
    /// Partitions of a group.
    partitions: u64,
}

/// A pass. It orders by the bucket of the cell, `column · column_step + row · row_step`.
#[derive(Clone, Copy)]
struct SortPass {
    /// The scratch that the pass writes the new order to.
    order: &'static str,
    /// Buckets of a group. In the last pass, the last bucket holds the entries that lie in no cell.
    buckets: u64,
    column_step: u64,
    row_step: u64,
}

/// The results of the sort.
pub(super) struct Sorted {
    /// The ordered entries, group by group.
    pub(super) order: Window,
    /// The end of each bucket's entries of each partition.
    pub(super) ends: Window,
    /// The number of ends of a group.
    pub(super) counters: u64,
    /// The number of ends of a row of cells.
    pub(super) counters_per_row: u64,
}

impl Sort {
    /// Plans the sort of at most `entries` entries of each of at most `groups` groups, by `rows` × `columns` cells.
    ///
    /// One pass needs a counter for every cell and partition. On a CPU it is faster than two passes if 16 partitions or
    /// more have at most half as many counters as there are entries. `on_cpu` says whether to choose the sizes for a
    /// CPU.
    pub(super) fn new(
        limits: &DeviceLimits,
        [rows, columns]: [u64; 2],
        entries: u64,
        groups: u64,
        on_cpu: bool,
    ) -> Self {
        // A binding holds the counters of all groups. The invocations of the scan share those of a group. Each walks
        // through its own twice, and once through the sums of the others.
        let counters = MAX_LOOP_STEPS / 3 * scan::KERNEL.workgroup_size;
        let counters = counters.min(limits.max_binding_bytes / F32_BYTES / groups);
        let by_cell =
            SortPass { order: "order_by_cell", buckets: rows * columns + 1, column_step: 1, row_step: columns };
        let partitions = (counters.min(entries / 2) / by_cell.buckets).min(MOST_PARTITIONS.div_ceil(groups));
        if on_cpu && partitions * groups >= LEAST_PARTITIONS {
            let sort = Self { first: None, last: by_cell, entries, groups, partitions };
            if sort.loops_are_short() {
                return sort;
            }
        }
        let first = SortPass { order: "order_by_column", buckets: columns, column_step: 1, row_step: 0 };
        let last = SortPass { order: "order_by_cell", buckets: rows + 1, column_step: 0, row_step: 1 };
        let at_once = if on_cpu { PARTITIONS_OF_CPU } else { PARTITIONS };
        // A sort of few entries takes less memory than one of more, so it has no more counters than entries.
        let partitions = at_once.min(counters.min(entries) / first.buckets.max(last.buckets)).max(1);
        Self { first: Some(first), last, entries, groups, partitions }
    }

    fn passes(&self) -> impl Iterator<Item = SortPass> {
        self.first.into_iter().chain([self.last])
    }

    fn most_buckets(&self) -> u64 {
        self.passes().fold(0, |most, pass| most.max(pass.buckets))
    }

    /// Returns whether all loops stay below [`MAX_LOOP_STEPS`]: an invocation clears its counters, and then walks
    /// through its entries.
    pub(super) fn loops_are_short(&self) -> bool {
        self.entries.div_ceil(self.partitions) + 2 + self.most_buckets() < MAX_LOOP_STEPS
    }

    /// Returns the buffers that the sort needs.
    pub(super) fn scratch(&self) -> Vec<Scratch> {
        self.passes().map(|pass| self.order(pass)).chain([self.ends()]).collect()
    }

    fn order(&self, pass: SortPass) -> Scratch {
        Scratch { name: pass.order, size: Size::Bytes(self.groups * self.entries * F32_BYTES) }
    }

    fn ends(&self) -> Scratch {
        let counters = self.groups * self.most_buckets() * self.partitions;
        Scratch { name: "entry_ends", size: Size::Bytes(counters * F32_BYTES) }
    }

    /// Returns the windows over the results of [`Sort::steps`].
    pub(super) fn sorted(&self) -> Sorted {
        Sorted {
            order: self.order(self.last).window(),
            ends: self.ends().window(),
            counters: self.last.buckets * self.partitions,
            counters_per_row: self.last.row_step * self.partitions,
        }
    }

    /// Plans the steps that sort `entries` entries of each of `groups` groups. The first pass has no order to read, but
    /// must bind a window, which is `unread`.
    pub(super) fn steps(
        &self,
        limits: &DeviceLimits,
        entries: u64,
        groups: u64,
        packed_taps: Window,
        unread: Window,
    ) -> Result<Vec<Step>> {
        let ends = self.ends().window();
        let mut before = None;
        let mut steps = Vec::new();
        for pass in self.passes() {
            let params = partition::Params {
                entries,
                buckets: pass.buckets,
                partitions: self.partitions,
                entries_per_partition: entries.div_ceil(self.partitions),
                groups,
                follows: before.is_some().into(),
                column_step: pass.column_step,
                row_step: pass.row_step,
            };
            let counters = pass.buckets * self.partitions;
            let scan =
                scan::Params { counters, counters_per_lane: counters.div_ceil(scan::KERNEL.workgroup_size), groups };
            let order = self.order(pass).window();
            let counted = vec![packed_taps, before.unwrap_or(unread), ends];
            let moved = vec![packed_taps, before.unwrap_or(unread), ends, order];
            let partitions = self.partitions * groups;
            let any = Specialization::default();
            steps.push(limits.step(&count::KERNEL, any, params, counted, count::KERNEL.workgroups(partitions))?);
            steps.push(limits.step(&scan::KERNEL, any, scan, vec![ends], groups)?);
            steps.push(limits.step(&scatter::KERNEL, any, params, moved, scatter::KERNEL.workgroups(partitions))?);
            before = Some(order);
        }
        Ok(steps)
    }
}
