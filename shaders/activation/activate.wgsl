// Puts an output through its activation, in place.
//
//     output = kind · σ(output),   σ(v) = 1 / (1 + e^−v);          max(output, 0) where kind is RELU
//
// Reads   output.
// Writes  output.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.

//@ uses shared/activation_kinds shared/grid

struct Params {
    /// Elements of the step.
    elements: u32,
    /// The activation: see shared/activation_kinds.wgsl.
    kind: u32,
    /// Where they start in the bound output.
    output_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// Any window of [image, out channel, out_height, out_width]
//@ operand
@group(0) @binding(1) var<storage, read_write> output: array<output_element>;

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
    if params.kind == RELU {
        // NaN stays. By the bits of what is negative, −∞ the last: a compiler may make max of a comparison, and a number of NaN.
        let bits = bitcast<u32>(value);
        write_output(params.output_base + number, select(value, 0.0, bits >= 0x80000000u && bits <= 0xff800000u));
        return;
    }
    // Of a positive number e^ would overflow.
    let e = exp(-abs(value));
    let numerator = select(1.0, e, value < 0.0);
    write_output(params.output_base + number, f32(params.kind) * numerator / (1.0 + e));
}
