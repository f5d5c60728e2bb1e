// Puts every entry into its bin: the last third of a pass of a radix sort. See bin_count.wgsl.
//
//     order[group, ends[group, bin, walker]++] = entry
//
// Afterwards ends[group, bin, last walker] is where the bin ends.
//
// Reads   packed_taps; order_before: what the pass before left, if there was one; ends.
// Writes  order, whole; ends.
// Runs    One invocation is one walker of one offset group; a workgroup is 8 of them, since there may be as few as 16, and a CPU runs a workgroup
//         on one core. Grid: walkers / 8, folded.
// Order   No barrier, no atomic: every walker has counters of its own, and walks its entries in order.

//@ uses sort/partition shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// [(offset group, tap, pixel)], (column, y, x, mask)
@group(0) @binding(1) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [offset group, entry]
@group(0) @binding(2) var<storage, read> order_before: array<u32>;
/// [offset group, bin, walker]
@group(0) @binding(3) var<storage, read_write> ends: array<u32>;
/// [offset group, entry], by bin
@group(0) @binding(4) var<storage, read_write> order: array<u32>;

const WORKGROUP_SIZE = 8u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.groups * params.walkers {
        return;
    }
    let walker = walker_at(number);
    for (var n = walker.first; n < walker.end; n++) {
        let entry = entry_at(n);
        let counter = walker.counters + bin_of(entry) * params.walkers;
        let at = ends[counter];
        ends[counter] = at + 1u;
        order[walker.base + at] = entry;
    }
}
