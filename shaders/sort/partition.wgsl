// What bin_count and bin_fill share. They order packed taps by numbers of these, which are a quarter of their size. `params` and `packed_taps` are the
// kernel's own.
//
//     bin = the cell's column, its row, or both in one number, as the plan says; what touches no pixel is in the last bin

//@ uses shared/packed_taps shared/texels

struct Params {
    /// Entries of one offset group.
    entries: u32,
    /// Bins of one offset group.
    bins: u32,
    /// Walkers of one offset group.
    walkers: u32,
    /// Entries that a walker walks.
    entries_per_walker: u32,
    /// Groups of this step.
    groups: u32,
    /// 1 where a pass came before.
    follows: u32,
    /// Bins from a cell to the next of its row.
    column_step: u32,
    /// Bins from a cell to the one below it.
    row_step: u32,
}

/// A run of consecutive entries of one group, which one invocation walks.
struct Walker {
    /// The index of its counter of the first bin; its next counter lies params.walkers further.
    counters: u32,
    /// The index of the group's first entry.
    base: u32,
    /// The index of its own first entry.
    first: u32,
    /// One past the index of its last entry.
    end: u32,
}

fn walker_at(number: u32) -> Walker {
    let group = number / params.walkers;
    let walker = number % params.walkers;
    let first = min(walker * params.entries_per_walker, params.entries);
    let end = min(first + params.entries_per_walker, params.entries);
    let base = group * params.entries;
    return Walker(group * params.bins * params.walkers + walker, base, base + first, base + end);
}

fn bin_of(entry: u32) -> u32 {
    let tap = textureLoad(packed_taps, texel_at(entry));
    let cell = corner_of(tap);
    return select(params.bins - 1u, cell.x * params.column_step + cell.y * params.row_step, touches(tap));
}

/// The number of the n-th tap: in the first pass its own.
fn entry_at(n: u32) -> u32 {
    if params.follows == 0u {
        return n;
    }
    return order_before[n];
}
