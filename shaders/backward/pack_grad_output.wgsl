// Packs the gradient of the output, of a window of one image's pixels: four channels a texel, blocks of 32 pixels.
//
//     packed_grad_output[(block, quad_start + n·quads + q, p)][l] = grad_output[n·rows + row_start + 4·q + l, 32·block + p]
//
// times the slope of the activation there (slope.wgsl). n numbers weight groups, or of a depth-wise convolution its offset groups, q quads
// of its rows output channels. What is no channel, or past the window's last pixel, is 0.
//
// Reads   grad_output and, behind an activation (ACTIVATED), output: the image.
// Writes  packed_grad_output: every texel of the window's blocks and this step's quads.
// Runs    One invocation owns 8 quads of a pixel, since a CPU driver divides lane by lane, as long as it packs a texel; a workgroup is 64 neighbours
//         in pixels. Grid: pixels fastest, then eights of quads, folded.
// Order   No barrier, no atomic.

//@ uses backward/pixel_blocks backward/linear_gradient shared/texels shared/grid
//@ variant linear ACTIVATED=false
//@ variant activated ACTIVATED=true

struct Params {
    /// Output channels of a group.
    rows: u32,
    /// Quads of each group in this step.
    quads: u32,
    /// The same of all groups of this step.
    part_quads: u32,
    /// Where the first of them lies among all quads of the texture.
    quad_start: u32,
    /// Quads of the texture.
    all_quads: u32,
    /// First output channel of each group in this step.
    row_start: u32,
    /// Pixels of one output plane.
    out_pixels: u32,
    /// First output pixel of the window.
    first_pixel: u32,
    /// Output pixels of the window.
    pixels: u32,
    /// The same, filled up to whole blocks.
    padded_pixels: u32,
    /// Where the image starts in the bound gradient.
    grad_output_base: u32,
    /// Where it starts in the bound output.
    output_base: u32,
    /// The activation: see shared/activation_kinds.wgsl.
    kind: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [out channel, out_height, out_width]
//@ operand
@group(0) @binding(1) var<storage, read> grad_output: array<grad_output_element>;
/// As grad_output.
//@ operand
@group(0) @binding(2) var<storage, read> output: array<output_element>;
/// [(block, group, quad, pixel of the block)], four channels of the quad
@group(0) @binding(3) var packed_grad_output: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
/// Quads of one invocation, at the most.
const QUADS_PER_INVOCATION = 8u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let pixel = number % params.padded_pixels;
    var quad_of_part = number / params.padded_pixels * QUADS_PER_INVOCATION;
    let end = min(quad_of_part + QUADS_PER_INVOCATION, params.part_quads);
    var group = quad_of_part / params.quads;
    var quad = quad_of_part % params.quads;
    let block = pixel / BLOCK_PIXELS * params.all_quads + params.quad_start;
    for (; quad_of_part < end; quad_of_part++) {
        let row = params.row_start + quad * 4u;
        var value = vec4<f32>();
        if pixel < params.pixels {
            let channel = group * params.rows + quad * 4u;
            let at = channel * params.out_pixels + params.first_pixel + pixel;
            value.x = linear_gradient(at);
            if row + 1u < params.rows { value.y = linear_gradient(at + params.out_pixels); }
            if row + 2u < params.rows { value.z = linear_gradient(at + 2u * params.out_pixels); }
            if row + 3u < params.rows { value.w = linear_gradient(at + 3u * params.out_pixels); }
        }
        let to = (block + quad_of_part) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
        textureStore(packed_grad_output, texel_at(to), value);
        let group_ends = quad + 1u == params.quads;
        quad = select(quad + 1u, 0u, group_ends);
        group += u32(group_ends);
    }
}
