// Moves every entry to its place: the last kernel of a pass of the sort. partition.wgsl describes the sort.
//
//     order[group, ends[group, bucket, partition]++] = entry
//
// Afterwards ends[group, bucket, last partition] is where the bucket ends.
//
// Reads   packed_taps; order_before: the order that the pass before wrote, if there was one; ends.
// Writes  order, all of it; ends.
// Runs    One invocation is one partition of one group; a workgroup is 8 of them. Grid: partitions / 8, folded.
// Order   No barrier, no atomic: every partition has its own counters, and walks through its entries in order.
//
// Why this shape. The same as count.wgsl's.

//@ uses sort/partition shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// [(group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(1) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [group, entry]
@group(0) @binding(2) var<storage, read> order_before: array<u32>;
/// [group, bucket, partition]
@group(0) @binding(3) var<storage, read_write> ends: array<u32>;
/// [group, entry], by bucket
@group(0) @binding(4) var<storage, read_write> order: array<u32>;

const WORKGROUP_SIZE = 8u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.groups * params.partitions {
        return;
    }
    let part = partition_at(number);
    for (var n = part.first; n < part.end; n++) {
        let entry = entry_at(n);
        let counter = part.counters + bucket_of(entry) * params.partitions;
        let at = ends[counter];
        ends[counter] = at + 1u;
        order[part.base + at] = entry;
    }
}
