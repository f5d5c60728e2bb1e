// Packs one image into a texture that the kernels sample: four channels a texel, every plane surrounded by zeros.
//
//     packed_input[x + 1, n·(in_height + 1) + y + 1][l] = input[c, y, x]        n = s·packs + q,  c = s·segment_channels + 4·q + l
//
// A segment s is a run of input channels that share their weight group and their offset group, of a depthwise convolution their offset group alone; a
// pack q is four channels of it, the last one filled up with zeros. Both count from the first in the texture, channels from the first of these.
//
// Reads   input: the image.
// Writes  packed_input: every texel of the planes and of the zeros around them, so that nothing old is left.
// Runs    One invocation owns a texel of each of 8 rows, since a CPU driver divides lane by lane, as long as it packs a texel; a workgroup is 64
//         neighbours. Grid: columns fastest, then strips of 8 rows, folded.
// Order   No barrier, no atomic.
//
// Why this shape. Sampling reads four corners of many channels; a texel brings four channels at once. A zero column on the left,
// two on the right and a zero row between planes give every corner outside the image a texel of its own that holds 0, so the
// sampling kernel needs no test for each corner, and a sample that counts 0 has four zeros to point at.

//@ uses shared/grid

struct Params {
    /// Rows of the input.
    in_height: u32,
    /// Columns of the input.
    in_width: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of a segment in the texture.
    packs: u32,
    /// First of them, counted from the segment's first.
    pack_start: u32,
    /// Columns to write.
    texture_width: u32,
    /// Rows to write.
    texture_height: u32,
    /// Where the first channel in the texture starts in the bound input.
    input_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [channel, in_height, in_width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;
/// [x + 1, (segment, pack, y + 1)], four channels of the pack
@group(0) @binding(2) var packed_input: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
/// Rows of the texture of one invocation, at the most.
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
    let in_image = column > 0u && column <= params.in_width;
    let plane_size = params.in_height * params.in_width;
    var y = row % (params.in_height + 1u);
    var pack = row / (params.in_height + 1u) % params.packs;
    var segment = row / (params.in_height + 1u) / params.packs;
    for (; row < end; row++) {
        var value = vec4<f32>();
        if y > 0u && in_image {
            let first = (params.pack_start + pack) * 4u;
            let channel = segment * params.segment_channels + pack * 4u;
            let at = params.input_base + channel * plane_size + (y - 1u) * params.in_width + column - 1u;
            value.x = read_input(at);
            if first + 1u < params.segment_channels { value.y = read_input(at + plane_size); }
            if first + 2u < params.segment_channels { value.z = read_input(at + 2u * plane_size); }
            if first + 3u < params.segment_channels { value.w = read_input(at + 3u * plane_size); }
        }
        textureStore(packed_input, vec2<u32>(column, row), value);
        let plane_ends = y == params.in_height;
        let segment_ends = plane_ends && pack + 1u == params.packs;
        y = select(y + 1u, 0u, plane_ends);
        pack = select(pack + u32(plane_ends), 0u, segment_ends);
        segment += u32(segment_ends);
    }
}
