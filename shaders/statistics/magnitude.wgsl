// The size of a tensor's elements, as partial sums for statistics_reduce.
//
//     partial[slice] = (Σ |element|, max |element|, elements that are NaN or infinite, 0)          the sum and the maximum over the others
//
// Reads   elements.
// Writes  partial, whole.
// Runs    One invocation owns every SLICES-th element; a workgroup is 64 of them. Grid: SLICES / 64.
// Order   No barrier, no atomic.

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
