// Fills a window of a gradient with zeros, for the steps that add to it.
//
// Reads   nothing.
// Writes  gradient: the window.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. A caller may record into its own compute pass, where an encoder's clear_buffer is not available.

//@ uses shared/window shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// Any window of a gradient.
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number < params.elements {
        gradient[params.base + number] = 0.0;
    }
}
