// Counts the entries of each partition and bucket: the first kernel of a pass of the sort. partition.wgsl describes the
// sort.
//
//     ends[group, bucket, partition] = number of entries of the partition that lie in the bucket
//
// Reads   packed_taps; order_before: the order that the pass before wrote, if there was one.
// Writes  ends, all of it.
// Runs    One invocation is one partition of one group; a workgroup is 8 of them. Grid: partitions / 8, folded.
// Order   No barrier, no atomic: every partition has its own counters.
//
// Why this shape. A workgroup is small, because there may be as few as 16 partitions, and a CPU runs a workgroup on one
// core.

//@ uses sort/partition shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// [(group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(1) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [group, entry]
@group(0) @binding(2) var<storage, read> order_before: array<u32>;
/// [group, bucket, partition]
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
