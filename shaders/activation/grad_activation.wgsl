// Computes the gradient in front of an activation from the gradient behind it.
//
//     grad_linear = grad_output · slope(output)          see slope.wgsl
//
// Reads   output, grad_output.
// Writes  grad_linear.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The derivative of each activation follows from its output, so the forward pass keeps no other value.

//@ uses shared/slope shared/grid

struct Params {
    /// Elements of the step.
    elements: u32,
    /// The activation: see shared/activation_kinds.wgsl.
    kind: u32,
    /// Start of the elements in the bound output, in elements.
    output_base: u32,
    /// Start of the elements in the bound gradient of the output, in elements.
    grad_output_base: u32,
    /// Start of the elements in the bound result, in elements.
    grad_linear_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// Any window of the output.
//@ operand
@group(0) @binding(1) var<storage, read> output: array<output_element>;
/// Same axes as output.
//@ operand
@group(0) @binding(2) var<storage, read> grad_output: array<grad_output_element>;
/// Same axes as output.
@group(0) @binding(3) var<storage, read_write> grad_linear: array<f32>;

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
    let value = read_output(params.output_base + number);
    let grad = read_grad_output(params.grad_output_base + number);
    grad_linear[params.grad_linear_base + number] = grad * slope(params.kind, value);
}
