// Packs images into a texture that other kernels sample: four channels per texel, with zeros around every image.
//
//     packed_input[x + 1 + a·(in_width + 3), (d·images + b)·(rows + 1) + y + 1][l] = input[b, c, row_start + y, x]
//     a·packs_down + d = s·packs + q,   c = s·segment_channels + 4·q + l
//
// y counts the `rows` rows of the images that are packed: all rows, or some of one image. For kernels that sample some
// rows, the others are zeros, and the samples of all parts of the rows add up to the sample of the image.
//
// Every pack has a plane, in which the images lie below each other. The planes lie below each other too (a is 0), or
// beside each other (d is 0, and packs_down is 1).
//
// s is a segment: input channels that share their weight group and their offset group (in a depthwise convolution,
// their offset group). q is a pack of the segment; the last pack is filled up with zeros. Images, segments, packs and
// channels count from the first in the texture.
//
// Reads   input: the images.
// Writes  packed_input: every texel of the planes and of the zeros around them, so that no old values are left.
// Runs    One invocation owns a column of up to ROWS_PER_INVOCATION texels; a workgroup is 64 neighbouring columns.
//         Grid: columns fastest, then strips of rows, folded.
// Order   No barrier, no atomic.
//
// Why this shape.
//   1. A sample reads four corners of many channels, and one texel brings a corner of four channels.
//   2. A zero column on the left, two on the right and a zero row between images give every corner outside the image a
//      texel that holds 0. The sampling kernels need no test per corner, and a sample outside the image has four zeros
//      to point at.
//   3. An invocation owns a strip of texels, because a CPU driver divides lane by lane, which takes as long as packing
//      a texel.

//@ uses shared/grid

struct Params {
    /// Packed rows of each image.
    rows: u32,
    /// Columns of the input.
    in_width: u32,
    /// Images in the texture.
    images: u32,
    /// Elements between images of the input.
    image_stride: u32,
    /// Elements of a channel of an image.
    plane_size: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs whose planes lie below each other.
    packs_down: u32,
    /// Packs of a segment in the texture.
    packs: u32,
    /// First pack in the texture, counted in its segment.
    pack_start: u32,
    /// Columns of the texture to write.
    texture_width: u32,
    /// Rows of the texture to write.
    texture_height: u32,
    /// Start of the first packed row of the first image's first channel in the bound input, in elements.
    input_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [image, channel, in_height, in_width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;
/// [x + 1, (segment, pack, image, y + 1)], four channels of the pack, or with packs along x
@group(0) @binding(2) var packed_input: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
/// The largest number of texels of one invocation.
const ROWS_PER_INVOCATION = 8u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let column = number % params.texture_width;
    var row = number / params.texture_width * ROWS_PER_INVOCATION;
    let end = min(row + ROWS_PER_INVOCATION, params.texture_height);
    let plane_width = params.in_width + 3u;
    let x = column % plane_width;
    let in_image = x > 0u && x <= params.in_width;
    let plane_size = params.plane_size;
    var y = row % (params.rows + 1u);
    let images_above = row / (params.rows + 1u);
    var image = images_above % params.images;
    let first_pack = column / plane_width * params.packs_down + images_above / params.images;
    var pack = first_pack % params.packs;
    var segment = first_pack / params.packs;
    for (; row < end; row++) {
        var value = vec4<f32>();
        if y > 0u && in_image {
            let first = (params.pack_start + pack) * 4u;
            let channel = segment * params.segment_channels + pack * 4u;
            let at = params.input_base + image * params.image_stride + channel * plane_size + (y - 1u) * params.in_width + x - 1u;
            value.x = read_input(at);
            if first + 1u < params.segment_channels { value.y = read_input(at + plane_size); }
            if first + 2u < params.segment_channels { value.z = read_input(at + 2u * plane_size); }
            if first + 3u < params.segment_channels { value.w = read_input(at + 3u * plane_size); }
        }
        textureStore(packed_input, vec2<u32>(column, row), value);
        let image_ends = y == params.rows;
        let plane_ends = image_ends && image + 1u == params.images;
        let segment_ends = plane_ends && pack + 1u == params.packs;
        y = select(y + 1u, 0u, image_ends);
        image = select(image + u32(image_ends), 0u, plane_ends);
        pack = select(pack + u32(plane_ends), 0u, segment_ends);
        segment += u32(segment_ends);
    }
}
