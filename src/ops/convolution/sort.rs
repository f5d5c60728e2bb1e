//! The sort: entries put in the order of the cells that they lie in. `shaders/sort/partition.wgsl` describes the algorithm.
//!
//! An *entry* is the number of a packed tap, a *cell* the square between four neighbouring pixels. Entries come in groups, each of which is
//! sorted on its own, in one or two passes. A pass counts the entries of each *bucket*, adds the counts up, and moves every entry to its
//! place. A *partition* is a run of consecutive entries that one invocation works through.

use crate::error::Result;
use crate::kernel::Specialization;
use crate::kernel::sort::{count, partition, scan, scatter};
use crate::plan::{DeviceLimits, F32_BYTES, MAX_LOOP_STEPS, Scratch, Size, Step, Window};

/// A CPU sorts in one pass where all groups together have this many partitions: two vectors of 8, so that two cores have work.
const LEAST_PARTITIONS: u64 = 16;
/// The most partitions of all groups together in one pass, before those of a group are rounded up to a whole number.
const MOST_PARTITIONS: u64 = 64;
/// The most partitions of a group in two passes, on a CPU.
const PARTITIONS_OF_CPU: u64 = 256;
/// The same elsewhere.
const PARTITIONS: u64 = 1024;

/// The sort of at most so many entries of at most so many groups.
pub(super) struct Sort {
    first: Option<Pass>,
    last: Pass,
    entries: u64,
    groups: u64,
    /// Partitions of a group.
    partitions: u64,
}

/// A pass goes by `bucket = column · column_step + row · row_step` of the cell.
#[derive(Clone, Copy)]
struct Pass {
    /// The scratch that the entries' new order is written to.
    order: &'static str,
    /// Buckets of a group. The last one holds what lies in no cell.
    buckets: u64,
    column_step: u64,
    row_step: u64,
}

/// Where the sorted entries lie.
pub(super) struct Sorted {
    /// The entries, group by group.
    pub(super) order: Window,
    /// Where the entries of each partition and bucket end.
    pub(super) ends: Window,
    /// Ends of a group.
    pub(super) counters: u64,
    /// Ends of a row of cells.
    pub(super) counters_per_row: u64,
}

impl Sort {
    /// Plans the sort of at most `entries` entries of each of at most `groups` groups, by cells of so many rows and columns.
    ///
    /// One pass needs a counter for every cell and partition. It takes less time than two passes where these are fewer than half as many as the
    /// entries.
    pub(super) fn new([rows, columns]: [u64; 2], entries: u64, groups: u64, on_cpu: bool) -> Self {
        // The invocations of the scan share a group's counters, and walk through them twice and through one another once.
        let counters = MAX_LOOP_STEPS / 3 * scan::KERNEL.workgroup_size;
        let by_cell = Pass { order: "order_by_cell", buckets: rows * columns + 1, column_step: 1, row_step: columns };
        let partitions = (counters.min(entries / 2) / by_cell.buckets).min(MOST_PARTITIONS.div_ceil(groups));
        if on_cpu && partitions * groups >= LEAST_PARTITIONS {
            let sort = Self { first: None, last: by_cell, entries, groups, partitions };
            if sort.loops_are_short() {
                return sort;
            }
        }
        let first = Pass { order: "order_by_column", buckets: columns, column_step: 1, row_step: 0 };
        let last = Pass { order: "order_by_cell", buckets: rows + 1, column_step: 0, row_step: 1 };
        let at_once = if on_cpu { PARTITIONS_OF_CPU } else { PARTITIONS };
        let partitions = at_once.min(entries).min(counters / first.buckets.max(last.buckets)).max(1);
        Self { first: Some(first), last, entries, groups, partitions }
    }

    fn passes(&self) -> impl Iterator<Item = Pass> {
        self.first.into_iter().chain([self.last])
    }

    fn most_buckets(&self) -> u64 {
        self.passes().fold(0, |most, pass| most.max(pass.buckets))
    }

    /// Whether no loop passes [`MAX_LOOP_STEPS`]: an invocation clears its counters, and then walks through its entries.
    pub(super) fn loops_are_short(&self) -> bool {
        self.entries.div_ceil(self.partitions) + 2 + self.most_buckets() < MAX_LOOP_STEPS
    }

    /// The buffers that the sort works in.
    pub(super) fn scratch(&self) -> Vec<Scratch> {
        self.passes().map(|pass| self.order(pass)).chain([self.ends()]).collect()
    }

    fn order(&self, pass: Pass) -> Scratch {
        Scratch { name: pass.order, size: Size::Bytes(self.groups * self.entries * F32_BYTES) }
    }

    fn ends(&self) -> Scratch {
        let counters = self.groups * self.most_buckets() * self.partitions;
        Scratch { name: "entry_ends", size: Size::Bytes(counters * F32_BYTES) }
    }

    /// Where the sorted entries lie after [`Sort::steps`].
    pub(super) fn sorted(&self) -> Sorted {
        Sorted {
            order: self.order(self.last).window(),
            ends: self.ends().window(),
            counters: self.last.buckets * self.partitions,
            counters_per_row: self.last.row_step * self.partitions,
        }
    }

    /// Sorts `entries` entries of each of `groups` groups. `unread` is any window: the first pass has no order to read, but must bind one.
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
