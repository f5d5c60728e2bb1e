// Packs the input into a buffer, four channels side by side, with zeros around each image: for GPUs.
//
//     packed_input[b, (s, q), y + 2, x + 1][l] = input[b, c, y, x]          c = s·segment_channels + 4·q + l
//
// s is a segment and q a pack of it: see pack_input.wgsl. The planes are those of shared/bordered_planes.wgsl.
//
// Reads   input: this step's images.
// Writes  packed_input: every element; 0 in the border, and where a segment has no such channel.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. Neighbouring invocations read neighbouring pixels of four planes and write neighbouring elements, so
// the step takes the time of the memory. With zeros around an image, a sample needs one index instead of four, and no
// test. No load depends on a branch.

//@ uses shared/bordered_planes shared/grid

struct Params {
    /// Rows of the input.
    in_height: u32,
    /// Columns of the input.
    in_width: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Segments of an image.
    segments: u32,
    /// Elements to write.
    elements: u32,
    /// Elements between images of the input.
    input_image_stride: u32,
    /// Start of the first image in the bound input, in elements.
    input_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [image, channel, in_height, in_width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;
/// [image, (segment, pack), in_height + 2, in_width + 1], four channels of the pack, and zeros
@group(0) @binding(2) var<storage, read_write> packed_input: array<vec4<f32>>;

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
    let size = bordered_size(params.in_height, params.in_width);
    let width = bordered_width(params.in_width);
    let plane = number / size;
    let row = number % size / width;
    let column = number % width;
    let packs = (params.segment_channels + 3u) / 4u;
    let image = plane / (params.segments * packs);
    let pack = plane % packs;
    let channel = plane / packs % params.segments * params.segment_channels + 4u * pack;
    let in_pixels = params.in_height * params.in_width;
    let at = params.input_base + image * params.input_image_stride + channel * in_pixels
        + (row - 2u) * params.in_width + column - 1u;
    let values = vec4<f32>(read_input(at), read_input(at + in_pixels), read_input(at + 2u * in_pixels), read_input(at + 3u * in_pixels));
    let channels = 4u * pack + vec4<u32>(0u, 1u, 2u, 3u);
    // What follows the last plane lies in the rows above an image, too.
    let there = row > 1u && column > 0u;
    packed_input[number] = select(vec4<f32>(), values, vec4<bool>(there) & (channels < vec4<u32>(params.segment_channels)));
}
