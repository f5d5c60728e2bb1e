// Computes partial sums of the gradient of the bias: the gradient of the output, summed over slices of the
// pixels of some images.
//
//     partial[o, slice] = Σ over the pixels p of the slice, of all images b, of   grad_output[b, o, p] · slope(output[b, o, p])
//
// Reads   grad_output and, behind an activation (ACTIVATED), output: the images.
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
    /// Images of this step.
    images: u32,
    /// Elements between images.
    image_stride: u32,
    /// Slices of a channel.
    slices: u32,
    /// Invocations that have work; the rest of the grid is idle.
    invocations: u32,
    /// Start of the first image's first channel in the bound gradient, in elements.
    grad_output_base: u32,
    /// Start of the first image's first channel in the bound output, in elements.
    output_base: u32,
    /// The activation: see shared/activation_kinds.wgsl.
    kind: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [image, out channel, out_height, out_width]
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
    let channel = number / params.slices;
    let slice = number - channel * params.slices;
    // The pixels and images from one pixel of a slice to the next. They are counted up, because a division is expensive.
    let image_step = params.slices / params.out_pixels;
    let pixel_step = params.slices - image_step * params.out_pixels;
    var image = slice / params.out_pixels;
    var pixel = slice - image * params.out_pixels;
    var sum = 0.0;
    while image < params.images {
        sum += linear_gradient(image * params.image_stride + channel * params.out_pixels + pixel);
        pixel += pixel_step;
        let ends = pixel >= params.out_pixels;
        pixel -= select(0u, params.out_pixels, ends);
        image += image_step + u32(ends);
    }
    partial[number] = sum;
}
