// Replaces the counts by where each partition's entries of each bucket begin: an exclusive prefix sum. The second
// kernel of a pass of the sort; partition.wgsl describes the sort.
//
//     ends[group, n] = Σ over m < n of ends[group, m]          n numbers (bucket, partition), partitions fastest
//
// Reads   ends.
// Writes  ends, all of it.
// Runs    One workgroup of 256 sums one group; each invocation owns a run of consecutive counters. Grid: groups,
//         folded.
// Order   Two walks through the counters with a barrier between them. The sums are of integers, so no order changes
//         them.
//
// Why this shape. One workgroup per group needs no communication between workgroups, and the counters are few beside
// the entries.

//@ uses shared/grid

struct Params {
    /// Buckets times partitions.
    counters: u32,
    /// Counters of one invocation.
    counters_per_lane: u32,
    /// Offset groups of this step.
    groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [group, (bucket, partition)]
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
    // Uniform in the workgroup.
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
