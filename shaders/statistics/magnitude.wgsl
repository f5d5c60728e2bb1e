// Computes partial sums of the magnitudes of a tensor's elements. reduce.wgsl adds them up.
//
//     partial[slice] = (Σ |element|, max |element|, number of elements that are NaN or infinite, 0)
//
// The sum and the maximum are over the finite elements.
//
// Reads   elements.
// Writes  partial, all of it.
// Runs    One invocation owns every SLICES-th element; a workgroup is 64 of them. Grid: SLICES / 64.
// Order   No barrier, no atomic.
//
// Why this shape. The number of partial sums is fixed, so a tensor of any size needs the same memory and one small last
// step. Neighbouring lanes read neighbouring elements.

//@ uses statistics/slices statistics/counted shared/window shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// [element]
@group(0) @binding(1) var<storage, read> elements: array<f32>;
/// [slice]
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let slice = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if slice >= SLICES {
        return;
    }
    var sum = vec4<f32>();
    for (var n = slice; n < params.elements; n += SLICES) {
        sum = counted(sum, elements[params.base + n]);
    }
    partial[slice] = sum;
}
