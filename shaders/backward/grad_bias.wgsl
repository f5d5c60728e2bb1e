// Computes partial sums of the gradient of the bias: the gradient of the output, summed over slices of one image's
// pixels.
//
//     partial[o, slice] = Σ over the pixels of the slice of   grad_output[o, p] · slope(output[o, p])
//
// Reads   grad_output and, behind an activation (ACTIVATED), output: one image.
// Writes  partial. sum_slices.wgsl adds the slices in order.
// Runs    One invocation is one slice of one channel, every slices-th pixel; a workgroup is 64 of them. Grid:
//         slices / 64, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. A layer has few channels and many pixels, so slices make enough invocations. Neighbouring lanes read
// neighbouring pixels.

//@ uses backward/linear_gradient shared/grid
//@ constant ACTIVATED Whether an activation follows the convolution.
//@ variant linear ACTIVATED=false
//@ variant activated ACTIVATED=true

struct Params {
    /// Pixels of one output plane.
    out_pixels: u32,
    /// Slices of a channel.
    slices: u32,
    /// Invocations that have work; the rest of the grid is idle.
    invocations: u32,
    /// Start of the image in the bound gradient, in elements.
    grad_output_base: u32,
    /// Start of the image in the bound output, in elements.
    output_base: u32,
    /// The activation: see shared/activation_kinds.wgsl.
    kind: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [out channel, out_height, out_width]
//@ operand
@group(0) @binding(1) var<storage, read> grad_output: array<grad_output_element>;
/// Same axes as grad_output.
//@ operand
@group(0) @binding(2) var<storage, read> output: array<output_element>;
/// [out channel, slice]
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.invocations {
        return;
    }
    let plane = number / params.slices * params.out_pixels;
    var sum = 0.0;
    for (var pixel = number % params.slices; pixel < params.out_pixels; pixel += params.slices) {
        sum += linear_gradient(plane + pixel);
    }
    partial[number] = sum;
}
