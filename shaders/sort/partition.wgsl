// The sort: it orders the entries of each group by the cells that they lie in. Its kernels are count.wgsl, scan.wgsl
// and scatter.wgsl; this file holds what they share. A kernel that uses it declares `params` and `packed_taps`.
//
// An entry is the number of a packed tap. A cell is the square between four neighbouring pixels. Every tap that touches
// the image lies in one cell.
//
// The plain algorithm is a stable counting sort, with one bucket per cell:
//
//   count     counts the entries of each bucket
//   scan      replaces each count by the sum of the counts before it, which is where the bucket begins
//   scatter   walks through the entries in order and moves each to the next place of its bucket
//
// The kernels depart from it in five ways.
//
//   1. Many invocations share the walk. The entries are cut into partitions, runs of consecutive entries, and every
//      partition has its own counter for every bucket. So no two invocations change one counter, and no atomics are
//      needed. The counters of a bucket are neighbours, in the order of the partitions. So the entries of a bucket stay
//      in their order, and the result is equal from run to run.
//   2. One counter per cell and partition can be too many. The sort then takes two passes, which is a radix sort: the
//      first by the column of the cell, the second by its row. A pass is stable, so the second keeps the order by
//      column within each row. The same kernels do both, with bucket = column·column_step + row·row_step.
//   3. Taps that touch no pixel lie in no cell. They get the last bucket. In the last pass it holds nothing else, and
//      nobody reads it; in the first of two passes it is also the bucket of the last column.
//   4. Entries are moved, not taps: an entry has a quarter of the size of a tap.
//   5. scatter advances the counters. Afterwards the counter of a bucket's last partition is where the bucket ends, so
//      the readers of the order need no other table.

//@ uses shared/packed_taps shared/texels

struct Params {
    /// Entries of one group.
    entries: u32,
    /// Buckets of one group.
    buckets: u32,
    /// Partitions of one group.
    partitions: u32,
    /// Entries of a partition.
    entries_per_partition: u32,
    /// Groups of this step.
    groups: u32,
    /// 1 in the second pass, which starts from the order of the first.
    follows: u32,
    /// Buckets from a cell to the next cell of its row.
    column_step: u32,
    /// Buckets from a cell to the one below it.
    row_step: u32,
}

/// A run of consecutive entries of one group, which one invocation walks through.
struct Partition {
    /// Index of the partition's counter of the first bucket. Its counter of the next bucket lies params.partitions
    /// further.
    counters: u32,
    /// Index of the group's first entry.
    base: u32,
    /// Index of the partition's first entry.
    first: u32,
    /// One past the index of the partition's last entry.
    end: u32,
}

fn partition_at(number: u32) -> Partition {
    let group = number / params.partitions;
    let part = number % params.partitions;
    let first = min(part * params.entries_per_partition, params.entries);
    let end = min(first + params.entries_per_partition, params.entries);
    let base = group * params.entries;
    return Partition(group * params.buckets * params.partitions + part, base, base + first, base + end);
}

fn bucket_of(entry: u32) -> u32 {
    let tap = textureLoad(packed_taps, texel_at(entry));
    let cell = corner_of(tap);
    return select(params.buckets - 1u, cell.x * params.column_step + cell.y * params.row_step, touches(tap));
}

/// Returns the n-th entry. In the first pass it is n itself.
fn entry_at(n: u32) -> u32 {
    if params.follows == 0u {
        return n;
    }
    return order_before[n];
}
