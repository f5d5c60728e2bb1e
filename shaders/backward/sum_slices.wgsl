// Adds partial sums to a gradient, in order.
//
//     gradient[base + n] += Σ over the slices of   partial[n, slice]
//
// Reads   partial.
// Writes  gradient.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic; one order of summation.
//
// Why this shape. The kernels that wrote the slices have done nearly all additions; what is left needs no sharing.

//@ uses shared/grid

struct Params {
    /// Elements to add to.
    elements: u32,
    /// Slices of each element.
    slices: u32,
    /// Start of the elements in the bound gradient, in elements.
    base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [element, slice]
@group(0) @binding(1) var<storage, read> partial: array<f32>;
/// [element]
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.elements {
        return;
    }
    var sum = 0.0;
    for (var slice = 0u; slice < params.slices; slice++) {
        sum += partial[number * params.slices + slice];
    }
    gradient[params.base + number] += sum;
}
