// Turns the counts of count into where each partition's entries of each bucket begin: an exclusive prefix sum.
//
//     ends[group, n] = Σ over m < n of ends[group, m]        n numbers (bucket, partition), partitions fastest
//
// Reads   ends.
// Writes  ends, whole.
// Runs    One workgroup of 256 sums one offset group, each invocation a run of consecutive counters. Grid: offset groups, folded.
// Order   Two passes with a barrier between them; integers.

//@ uses shared/grid

struct Params {
    /// Buckets times partitions.
    counters: u32,
    /// Counters of one invocation.
    counters_per_lane: u32,
    /// Groups of this step.
    groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [offset group, (bucket, partition)]
@group(0) @binding(1) var<storage, read_write> ends: array<u32>;

const WORKGROUP_SIZE = 256u;

var<workgroup> sums: array<u32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup_number(workgroup, grid);
    // The same for the whole workgroup.
    if group >= params.groups {
        return;
    }
    let first = min(lane * params.counters_per_lane, params.counters);
    let end = min(first + params.counters_per_lane, params.counters);
    let base = group * params.counters;
    var sum = 0u;
    for (var n = first; n < end; n++) {
        sum += ends[base + n];
    }
    sums[lane] = sum;
    workgroupBarrier();
    var total = 0u;
    for (var before = 0u; before < lane; before++) {
        total += sums[before];
    }
    for (var n = first; n < end; n++) {
        let count = ends[base + n];
        ends[base + n] = total;
        total += count;
    }
}
