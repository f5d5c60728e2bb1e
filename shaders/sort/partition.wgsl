// What count and scatter share. They order packed taps by numbers of these, which are a quarter of their size. `params` and `packed_taps` are the
// kernel's own.
//
//     bucket = the cell's column, its row, or both in one number, as the plan says; what touches no pixel is in the last bucket

//@ uses shared/packed_taps shared/texels

struct Params {
    /// Entries of one offset group.
    entries: u32,
    /// Buckets of one offset group.
    buckets: u32,
    /// Partitions of one offset group.
    partitions: u32,
    /// Entries that a partition walks.
    entries_per_partition: u32,
    /// Groups of this step.
    groups: u32,
    /// 1 where a pass came before.
    follows: u32,
    /// Buckets from a cell to the next of its row.
    column_step: u32,
    /// Buckets from a cell to the one below it.
    row_step: u32,
}

/// A run of consecutive entries of one group, which one invocation walks.
struct Partition {
    /// The index of its counter of the first bucket; its next counter lies params.partitions further.
    counters: u32,
    /// The index of the group's first entry.
    base: u32,
    /// The index of its own first entry.
    first: u32,
    /// One past the index of its last entry.
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

/// The number of the n-th tap: in the first pass its own.
fn entry_at(n: u32) -> u32 {
    if params.follows == 0u {
        return n;
    }
    return order_before[n];
}
