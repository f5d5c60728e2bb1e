// Adds the partial sums that the splits of fused_tiled.wgsl wrote, in order.
//
//     output[b, o, p] = bias[o] + (…((partial[0][o, (b, p)] + partial[1][o, (b, p)]) + partial[2][o, (b, p)]) + …)
//
// Reads   partial, bias (0 without one).
// Writes  output: this step's images.
// Runs    One invocation owns one output; a workgroup is 64 neighbouring columns. Grid: outputs / 64, folded.
// Order   No barrier, no atomic; one order of summation.
//
// Why this shape. Splits that added to the output themselves would need float atomics, whose order changes from run to
// run.

//@ uses shared/grid

struct Params {
    /// Output channels.
    out_channels: u32,
    /// Pixels of one output plane.
    out_pixels: u32,
    /// Columns of this step: images times output pixels.
    columns: u32,
    /// Output elements of this step.
    outputs: u32,
    /// Partial sums of each output.
    splits: u32,
    /// Start of the first image in the bound output, in elements.
    output_base: u32,
    /// 1 with a bias, 0 without one.
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [split, out channel, (image, pixel)]
@group(0) @binding(1) var<storage, read> partial: array<f32>;
/// [out channel]
//@ operand
@group(0) @binding(2) var<storage, read> bias: array<bias_element>;
/// [image, out channel, out_height, out_width]
//@ operand
@group(0) @binding(3) var<storage, read_write> output: array<output_element>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if at >= params.outputs {
        return;
    }
    let channel = at / params.columns;
    let column = at % params.columns;
    var sum = 0.0;
    for (var split = 0u; split < params.splits; split++) {
        sum += partial[split * params.outputs + at];
    }
    var start = 0.0;
    if params.has_bias != 0u {
        start = read_bias(channel);
    }
    let image = column / params.out_pixels;
    write_output(params.output_base + (image * params.out_channels + channel) * params.out_pixels + column % params.out_pixels, start + sum);
}
