// What bin_count and bin_fill share. They order packed taps by numbers of these, which are a quarter of their size. `params` and `packed_taps` are the
// kernel's own.
//
//     bin = the cell's column, its row, or both in one number, as the plan says; what touches no pixel is in the last bin

struct BinParams {
    entries: u32,
    bins: u32,
    walkers: u32,
    entries_per_walker: u32,
    groups: u32,
    follows: u32,
    column_step: u32,
    row_step: u32,
}

/// A walker: where its counters lie (params.walkers apart), where its offset group's entries begin, and which of all it walks.
struct Walker {
    counters: u32,
    base: u32,
    first: u32,
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
