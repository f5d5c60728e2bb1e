// Packs the gradient of the output for a part's pixels: four channels per texel, in blocks of 32 pixels.
//
//     packed_grad_output[(block, pack_start + (n·packs + q)·rows + r, p)][l] = (grad_output · slope(output))[b, channel, pixel]
//     channel = n·group_channels + (lane_start + 4·q + l)/2^lane_shift·rows + r
//     b·out_pixels + pixel = first_pixel + 32·block + p
//
// b numbers the part's images and n the weight groups; q is a pack of a group's output channels, and rows is 1. Without a
// product, n numbers the offset groups, and q is a pack of input channels; each of their 2^lane_shift channels belong to
// one weight group, r is one of its `rows` output channels, and the lanes of a weight group have the same gradient.
// `slope` is the derivative of the activation (slope.wgsl). Lanes past a group's last and pixels past the part's last are
// 0.
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
//@ constant SHARED Whether the lanes of a pack share one output channel, which is then read once.
//@ variant linear ACTIVATED=false SHARED=false
//@ variant activated ACTIVATED=true SHARED=false
//@ variant shared ACTIVATED=false SHARED=true

struct Params {
    /// Output channels of a group.
    group_channels: u32,
    /// Lanes of a group: its output channels, or without a product its input channels.
    lanes: u32,
    /// Binary logarithm of the lanes that share an output channel.
    lane_shift: u32,
    /// Packs of the same lanes.
    rows: u32,
    /// Packs of each group's lanes in this step.
    packs: u32,
    /// Packs of all groups of this step.
    part_packs: u32,
    /// Number of this step's first pack among all packs of the texture.
    pack_start: u32,
    /// Packs of the texture.
    all_packs: u32,
    /// First lane of each group in this step.
    lane_start: u32,
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
/// [(block, group, pack, row, pixel of the block)], four lanes of the pack
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
    var row = pack_of_part % params.rows;
    var pack = pack_of_part / params.rows % params.packs;
    var group = pack_of_part / params.rows / params.packs;
    let number_of_pixel = params.first_pixel + pixel;
    let image = number_of_pixel / params.out_pixels;
    let start = image * params.image_stride + number_of_pixel - image * params.out_pixels;
    let block = pixel / BLOCK_PIXELS * params.all_packs + params.pack_start;
    for (; pack_of_part < end; pack_of_part++) {
        var value = vec4<f32>();
        if pixel < params.pixels {
            let first = pack * 4u;
            let lanes = vec4<u32>(first, first + 1u, first + 2u, first + 3u);
            let channels = group * params.group_channels + (lanes >> vec4<u32>(params.lane_shift)) * params.rows + row;
            let at = start + channels * params.out_pixels;
            let there = params.lane_start + lanes < vec4<u32>(params.lanes);
            value.x = linear_gradient(at.x);
            if SHARED {
                value = select(vec4<f32>(), vec4<f32>(value.x), there);
            } else {
                if there.y { value.y = linear_gradient(at.y); }
                if there.z { value.z = linear_gradient(at.z); }
                if there.w { value.w = linear_gradient(at.w); }
            }
        }
        let to = (block + pack_of_part) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
        textureStore(packed_grad_output, texel_at(to), value);
        row++;
        if row == params.rows {
            row = 0u;
            pack++;
        }
        if pack == params.packs {
            pack = 0u;
            group++;
        }
    }
}
