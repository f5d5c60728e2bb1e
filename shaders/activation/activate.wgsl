// Applies an activation to an output, in place.
//
//     RELU        output = max(output, 0)
//     kind · σ    output = kind · σ(output),   σ(v) = 1 / (1 + e^−v)
//
// Reads   output.
// Writes  output.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The convolution kernels know no activation; one elementwise kernel behind them serves all of them.

//@ uses shared/activation_kinds shared/grid

struct Params {
    /// Elements of the step.
    elements: u32,
    /// The activation: see shared/activation_kinds.wgsl.
    kind: u32,
    /// Start of the elements in the bound output, in elements.
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
        // NaN stays NaN. The test is on the bits of the negative numbers, −0 … −∞: a compiler may turn a comparison
        // into max, and max may turn NaN into 0.
        let bits = bitcast<u32>(value);
        write_output(params.output_base + number, select(value, 0.0, bits >= 0x80000000u && bits <= 0xff800000u));
        return;
    }
    // e^|v| could overflow; e^−|v| cannot.
    let e = exp(-abs(value));
    let numerator = select(1.0, e, value < 0.0);
    write_output(params.output_base + number, f32(params.kind) * numerator / (1.0 + e));
}
