// Puts an output through its activation, in place.
//
//     output = kind · σ(output),   σ(v) = 1 / (1 + e^−v);          max(output, 0) where kind is RELU
//
// Reads   output.
// Writes  output.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.

struct ActivateParams {
    elements: u32,
    kind: u32,
    output_base: u32,
}

@group(0) @binding(0) var<uniform> params: ActivateParams;
/// Any window of [image, out channel, out_height, out_width]
@group(0) @binding(1) var<storage, read_write> output: array<f32>;

const WORKGROUP_SIZE = 64u;
/// The other kinds, 1 and 2, are what the sigmoid is multiplied by.
const RELU = 3u;

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
