// Copies a buffer. Its rate is the memory rate that other kernels are compared with.
//
//     destination[n] = source[n]
//
// Reads   source.
// Writes  destination.
// Runs    One invocation owns one vec4; a workgroup is 64 consecutive ones. Grid: count / 64, folded.
// Order   No barrier, no atomic; every element is written once.
//
// Why this shape. Sixteen bytes per lane, in consecutive lanes, are the widest and most regular access there is.

//@ uses shared/grid

struct Params {
    /// vec4 elements to copy.
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [n]
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
/// [n]
@group(0) @binding(2) var<storage, read_write> destination: array<vec4<f32>>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let n = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if n < params.count {
        destination[n] = source[n];
    }
}
