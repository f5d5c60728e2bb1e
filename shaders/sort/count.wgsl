// Counts how many entries of each partition fall into each bucket: the first third of a pass of a radix sort.
//
//     ends[group, bucket, partition] = |{ entries of the partition in the bucket }|
//
// An entry is the number of a packed tap: see scatter.wgsl. A partition is a run of consecutive entries. A pass keeps entries of
// one bucket in the order they had. So one by cell, or one by column and another by row, order them by cell and within a cell by tap and
// pixel: the same way every time.
//
// Reads   packed_taps; order_before: what the pass before left, if there was one.
// Writes  ends, whole.
// Runs    One invocation is one partition of one offset group; a workgroup is 8 of them, since there may be as few as 16, and a CPU runs a workgroup
//         on one core. Grid: partitions / 8, folded.
// Order   No barrier, no atomic: every partition has counters of its own.

//@ uses sort/partition shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// [(offset group, tap, pixel)], (column, y, x, mask)
@group(0) @binding(1) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [offset group, entry]
@group(0) @binding(2) var<storage, read> order_before: array<u32>;
/// [offset group, bucket, partition]
@group(0) @binding(3) var<storage, read_write> ends: array<u32>;

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
    for (var bucket = 0u; bucket < params.buckets; bucket++) {
        ends[part.counters + bucket * params.partitions] = 0u;
    }
    for (var n = part.first; n < part.end; n++) {
        ends[part.counters + bucket_of(entry_at(n)) * params.partitions] += 1u;
    }
}
