// Samples the input where each tap of each output pixel lands: the columns of the deformable convolution.
//
//     y = (oy·stride_h − pad_h + i·dil_h) + offset[b, 2·(g·taps + t) + 0, oy, ox]          t = i·kernel_width + j
//     x = (ox·stride_w − pad_w + j·dil_w) + offset[b, 2·(g·taps + t) + 1, oy, ox]          g = c / channels_per_offset_group
//     columns[(c, t), (b, oy, ox)] = mask[b, g·taps + t, oy, ox] · sample(input[b, c], y, x)
//
// Reads   input, offset, mask (1 without one): the windows of this chunk's images, channels and pixels.
// Writes  columns: rows (c, t) counted from channel columns_channel_start, one column per output pixel of the chunk.
// Runs    One invocation owns one (pixel, offset group, tap) and up to CHANNELS_PER_INVOCATION channels of that group.
//         A workgroup is 64 neighbouring pixels of one (group, tap, channel block). Grid: blocks of pixels fastest,
//         then (group, tap) pairs, then channel blocks, folded.
// Order   No barrier, no atomic; every element is written once, so the result does not depend on any order.
//
// Why this shape. The position, its range test and the four corner weights cost more than the four products of one
// channel, and all channels of an offset group share them. So an invocation computes them once and walks through the
// channels. Neighbouring lanes take neighbouring pixels of one plane: their accesses to offset, mask and columns are
// consecutive, and their corners usually lie close together.

//@ uses shared/taps shared/bilinear shared/grid

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// First output pixel of this chunk in each image.
    pixel_start: u32,
    /// Output pixels of this chunk in each image.
    pixels: u32,
    /// Columns of the column buffer: images of this chunk times `pixels`.
    columns_width: u32,
    /// Workgroups along the columns, one per block of pixels.
    pixel_blocks: u32,
    /// First (offset group, tap) pair of this step.
    pair_start: u32,
    /// (offset group, tap) pairs of this step.
    pairs: u32,
    /// Input channels that share an offset group.
    channels_per_offset_group: u32,
    /// First input channel of this step.
    channel_start: u32,
    /// One past the last input channel of this step.
    channel_end: u32,
    /// First input channel that the column buffer holds.
    columns_channel_start: u32,
    /// Elements between images of the input.
    input_image_stride: u32,
    /// Elements between images of the offset.
    offset_image_stride: u32,
    /// Elements between images of the mask.
    mask_image_stride: u32,
    /// Start of channel `channel_start` in the bound input, in elements.
    input_base: u32,
    /// Start of channel `2·pair_start`, pixel `pixel_start` in the bound offset, in elements.
    offset_base: u32,
    /// Start of channel `pair_start`, pixel `pixel_start` in the bound mask, in elements.
    mask_base: u32,
    /// 1 with a mask (v2), 0 without one (v1).
    has_mask: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [image, channel, in_height, in_width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;
/// [image, (offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(2) var<storage, read> offset: array<offset_element>;
/// [image, (offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(3) var<storage, read> mask: array<mask_element>;
/// [(channel, tap), (image, pixel)]
@group(0) @binding(4) var<storage, read_write> columns: array<f32>;

const WORKGROUP_SIZE = 64u;
/// The largest number of channels of one invocation.
const CHANNELS_PER_INVOCATION = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    let column = (number % params.pixel_blocks) * WORKGROUP_SIZE + lane;
    let pair_and_block = number / params.pixel_blocks;
    let pair = params.pair_start + pair_and_block % params.pairs;
    let block = pair_and_block / params.pairs;

    let group = pair / params.geometry.taps;
    let tap = pair % params.geometry.taps;
    // The channels of this block, among those that the step has of this offset group. The block is empty in a spare
    // workgroup, and where the step has fewer channels of this group than of another.
    let group_start = group * params.channels_per_offset_group;
    let group_end = min(group_start + params.channels_per_offset_group, params.channel_end);
    let first = max(group_start, params.channel_start) + block * CHANNELS_PER_INVOCATION;
    let end = min(first + CHANNELS_PER_INVOCATION, group_end);
    if column >= params.columns_width {
        return;
    }

    let image = column / params.pixels;
    let pixel_in_chunk = column % params.pixels;
    let pixel = params.pixel_start + pixel_in_chunk;
    let whole = first_tap(pixel) + tap_step(tap);
    let offset_y = params.offset_base + image * params.offset_image_stride
        + 2u * (pair - params.pair_start) * params.geometry.out_pixels + pixel_in_chunk;
    let at = moved(whole, offset_y);
    var scale = 1.0;
    if params.has_mask != 0u {
        scale = read_mask(params.mask_base + image * params.mask_image_stride
            + (pair - params.pair_start) * params.geometry.out_pixels + pixel_in_chunk);
    }

    let corners = corners_at(at.y, at.x, params.geometry.in_height, params.geometry.in_width);
    let plane_size = params.geometry.in_height * params.geometry.in_width;
    for (var c = first; c < end; c++) {
        var value = 0.0;
        if corners.inside {
            let plane = params.input_base + image * params.input_image_stride + (c - params.channel_start) * plane_size;
            let corner = plane + corners.index;
            if DEFORMED {
                value = interpolate(corners, vec4<f32>(read_input(corner.x), read_input(corner.y), read_input(corner.z), read_input(corner.w)));
            } else {
                value = read_input(corner.x);
            }
        }
        let row = (c - params.columns_channel_start) * params.geometry.taps + tap;
        columns[row * params.columns_width + column] = scale * value;
    }
}
