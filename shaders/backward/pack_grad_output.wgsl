// Packs the gradient of the output for a part's pixels: four channels per texel, in blocks of 32 pixels.
//
//     packed_grad_output[(block, pack_start + n·packs + q, p)][l] = (grad_output · slope(output))[b, n·rows + row_start + 4·q + l, pixel]
//     b·out_pixels + pixel = first_pixel + 32·block + p
//
// b numbers the part's images, n the weight groups (in a depthwise convolution, the offset groups), and q the packs of a group's output
// channels. `slope` is the derivative of the activation (slope.wgsl). Channels past a group's last and pixels past the
// part's last are 0.
//
// Reads   grad_output and, behind an activation (ACTIVATED), output: the part's images.
// Writes  packed_grad_output: every texel of the part's blocks and this step's packs.
// Runs    One invocation owns up to PACKS_PER_INVOCATION packs of a pixel; a workgroup is 64 neighbouring pixels. Grid:
//         pixels fastest, then blocks of packs, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The products of the backward pass read four output channels at once, and the texels of one block of
// pixels lie close together. An invocation owns several packs, because a CPU driver divides lane by lane, which takes
// as long as packing a texel.

//@ uses backward/pixel_blocks backward/linear_gradient shared/texels shared/grid
//@ constant ACTIVATED Whether an activation follows the convolution.
//@ variant linear ACTIVATED=false
//@ variant activated ACTIVATED=true

struct Params {
    /// Output channels of a group.
    rows: u32,
    /// Packs of each group in this step.
    packs: u32,
    /// Packs of all groups of this step.
    part_packs: u32,
    /// Number of this step's first pack among all packs of the texture.
    pack_start: u32,
    /// Packs of the texture.
    all_packs: u32,
    /// First output channel of each group in this step.
    row_start: u32,
    /// Pixels of one output plane.
    out_pixels: u32,
    /// First output pixel of the part in its first image.
    first_pixel: u32,
    /// Output pixels of the part, of all its images.
    pixels: u32,
    /// `pixels` rounded up to whole blocks.
    padded_pixels: u32,
    /// Elements between images of the gradient and of the output.
    image_stride: u32,
    /// Start of the first image in the bound gradient, in elements.
    grad_output_base: u32,
    /// Start of the first image in the bound output, in elements.
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
/// [(block, group, pack, pixel of the block)], four channels of the pack
@group(0) @binding(3) var packed_grad_output: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
/// The largest number of packs of one invocation.
const PACKS_PER_INVOCATION = 8u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let pixel = number % params.padded_pixels;
    var pack_of_part = number / params.padded_pixels * PACKS_PER_INVOCATION;
    let end = min(pack_of_part + PACKS_PER_INVOCATION, params.part_packs);
    var group = pack_of_part / params.packs;
    var pack = pack_of_part % params.packs;
    let number_of_pixel = params.first_pixel + pixel;
    let image = number_of_pixel / params.out_pixels;
    let start = image * params.image_stride + number_of_pixel - image * params.out_pixels;
    let block = pixel / BLOCK_PIXELS * params.all_packs + params.pack_start;
    for (; pack_of_part < end; pack_of_part++) {
        let row = params.row_start + pack * 4u;
        var value = vec4<f32>();
        if pixel < params.pixels {
            let channel = group * params.rows + pack * 4u;
            let at = start + channel * params.out_pixels;
            value.x = linear_gradient(at);
            if row + 1u < params.rows { value.y = linear_gradient(at + params.out_pixels); }
            if row + 2u < params.rows { value.z = linear_gradient(at + 2u * params.out_pixels); }
            if row + 3u < params.rows { value.w = linear_gradient(at + 3u * params.out_pixels); }
        }
        let to = (block + pack_of_part) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
        textureStore(packed_grad_output, texel_at(to), value);
        let group_ends = pack + 1u == params.packs;
        pack = select(pack + 1u, 0u, group_ends);
        group += u32(group_ends);
    }
}
