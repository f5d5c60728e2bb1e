// Computes a depthwise convolution, or one with weight groups of 2 to 4 input channels: four channels at a time.
//
//     output[g·rows + r, p] = bias[g·rows + r] + Σ over the group's channels c and the taps t of   weight[r, c, t] · mask · sample(p, c, t)
//
// g is a weight group and r one of its output channels. Segments and packs are those of pack_input.wgsl and
// pack_weight_depthwise.wgsl; a segment is the channels of an offset group, and a pack has whole weight groups.
//
// Reads   packed_input (this step's packs) and packed_weight, both in textures (depthwise_textures.wgsl) or in buffers
//         (depthwise_buffers.wgsl), offset, mask (1 without one), bias (0 without one): this
//         step's images.
// Writes  output: the channels of this step's weight groups.
// Runs    One invocation owns one pixel of PACKS packs of a segment, for ROWS output channels of each of their weight
//         groups; a workgroup is 64 neighbouring pixels. Grid: blocks of pixels fastest, then blocks of packs, then
//         blocks of output channels, then segments, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape.
//   1. There is almost no product: sampling takes the time, and one texel brings a corner of four channels.
//   2. The position of a tap is computed once for all packs of an invocation, and a sample serves all its output
//      channels.
//   3. Each lane of a sum belongs to one input channel. The lanes of a weight group are added at the end, so a NaN in a
//      channel reaches no other group.
//   4. The sums have names, because a vector that is indexed at run time lies in memory. So every invocation has
//      exactly PACKS packs and ROWS output channels. Those past the last are computed from whatever lies there, and not
//      stored.

//@ uses shared/pixels shared/grid
//@ constant PACKS Packs of one invocation.
//@ constant ROWS Output channels of a weight group that one invocation computes.
//@ variant packs4 PACKS=4u ROWS=1u uses forward/depthwise_textures
//@ variant packs2 PACKS=2u ROWS=1u uses forward/depthwise_textures
//@ variant packs1 PACKS=1u ROWS=1u uses forward/depthwise_textures
//@ variant packs2_rows2 PACKS=2u ROWS=2u uses forward/depthwise_textures
//@ variant packs1_rows2 PACKS=1u ROWS=2u uses forward/depthwise_textures
//@ variant packs1_rows4 PACKS=1u ROWS=4u uses forward/depthwise_textures
//@ variant packs4_buffers PACKS=4u ROWS=1u uses forward/depthwise_buffers
//@ variant packs2_buffers PACKS=2u ROWS=1u uses forward/depthwise_buffers
//@ variant packs1_buffers PACKS=1u ROWS=1u uses forward/depthwise_buffers
//@ variant packs2_rows2_buffers PACKS=2u ROWS=2u uses forward/depthwise_buffers
//@ variant packs1_rows2_buffers PACKS=1u ROWS=2u uses forward/depthwise_buffers
//@ variant packs1_rows4_buffers PACKS=1u ROWS=4u uses forward/depthwise_buffers

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// Columns from a pack's plane of the packed input to the next pack's.
    plane_columns: u32,
    /// Rows from a pack's plane of the packed input to the next pack's.
    plane_rows: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of a whole segment.
    all_segment_packs: u32,
    /// Packs of all segments.
    all_packs: u32,
    /// Binary logarithm of the lanes of a weight group: 1, 2 or 4.
    group_shift: u32,
    /// Weight groups of a segment.
    segment_groups: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// Blocks of output channels of a weight group.
    row_blocks: u32,
    /// First segment of this step.
    segment_start: u32,
    /// Segments of this step.
    segments: u32,
    /// First pack of each segment in this step.
    pack_start: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// Blocks of packs of a segment.
    pack_blocks: u32,
    /// Output pixels of all images of this step.
    pixels: u32,
    /// Workgroups along the pixels, one per block of pixels.
    pixel_blocks: u32,
    /// Elements between images of the packed input in a buffer.
    input_image_stride: u32,
    /// Elements between images of the offset.
    offset_image_stride: u32,
    /// Elements between images of the mask.
    mask_image_stride: u32,
    /// Elements between images of the output.
    output_image_stride: u32,
    /// Start of the first image in the bound offset, in elements.
    offset_base: u32,
    /// Start of the first image in the bound mask, in elements.
    mask_base: u32,
    /// Start of the first image in the bound output, in elements.
    output_base: u32,
    /// 1 with a mask (v2), 0 without one (v1).
    has_mask: u32,
    /// 1 with a bias, 0 without one.
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [image, (offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(3) var<storage, read> offset: array<offset_element>;
/// [image, (offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(4) var<storage, read> mask: array<mask_element>;
/// [out channel]
//@ operand
@group(0) @binding(5) var<storage, read> bias: array<bias_element>;
/// [image, out channel, out_height, out_width]
//@ operand
@group(0) @binding(6) var<storage, read_write> output: array<output_element>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    let pixel_number = number % params.pixel_blocks * WORKGROUP_SIZE + lane;
    let block = number / params.pixel_blocks;
    let segment = block / params.pack_blocks / params.row_blocks;
    let row = block / params.pack_blocks % params.row_blocks * ROWS;
    let busy = pixel_number < params.pixels && segment < params.segments;
    let group = params.segment_start + segment;
    // The invocation's packs, counted in the segment from this step's first.
    let pack = block % params.pack_blocks * PACKS;
#for p in 0..PACKS
    let q{p} = pack + {p}u;
#end
    let first_pack = segment * params.segment_packs;
#for p in 0..PACKS
    let plane{p} = plane_at(first_pack + q{p});
#end
#for r in 0..ROWS
    let row{r} = row + {r}u;
#end
    let first_weight = group * params.all_segment_packs + params.pack_start;
    // No early return: it would put all that follows into a branch, and a CPU driver executes a branch even if no lane
    // takes it.
    let taps = select(0u, params.geometry.taps, busy);
    let pixel = pixel_at(pixel_number);

#for p in 0..PACKS
#for r in 0..ROWS
    var sum{p}_{r} = vec4<f32>();
#end
#end
    // The step of a tap is counted and not computed from its number, because a CPU driver divides lane by lane.
    var step = vec2<u32>();
    let row_end = params.geometry.kernel_width * params.geometry.dil_w;
    for (var n = 0u; n < taps; n++) {
        let tap = tap_at((group * params.geometry.taps + n) * params.geometry.out_pixels, pixel, vec2<i32>(step));
        step.x += params.geometry.dil_w;
        if step.x == row_end {
            step = vec2<u32>(0u, step.y + params.geometry.dil_h);
        }
        let weight = n * params.all_packs + first_weight;
#for p in 0..PACKS
        let sample{p} = sample(tap, plane{p});
#for r in 0..ROWS
        sum{p}_{r} += weight_pack((weight + q{p}) * params.rows + row{r}) * sample{p};
#end
#end
    }

    let output = output_at(pixel_number);
#for p in 0..PACKS
#for r in 0..ROWS
    store_pack(busy, group, output, pack + {p}u, row + {r}u, sum{p}_{r});
#end
#end
}

/// Stores one output channel of each weight group of a pack. `output` is the index of the pixel's first element.
fn store_pack(busy: bool, segment: u32, output: u32, pack: u32, row: u32, sum: vec4<f32>) {
    // The first lane of each weight group gets the sum of the group's lanes.
    let pairs = select(sum, sum + sum.yxwz, params.group_shift > 0u);
    let sums = select(pairs, pairs + pairs.zwxy, params.group_shift > 1u);
    let there = busy && pack < params.segment_packs && row < params.rows;
    let first = (params.pack_start + pack) * 4u;
    store(there, segment, output, first, row, sums.x);
    store(there && params.group_shift == 0u, segment, output, first + 1u, row, sums.y);
    store(there && params.group_shift < 2u, segment, output, first + 2u, row, sums.z);
    store(there && params.group_shift == 0u, segment, output, first + 3u, row, sums.w);
}

/// `in_segment` is the first input channel of the weight group, counted in the segment.
fn store(there: bool, segment: u32, output: u32, in_segment: u32, row: u32, sum: f32) {
    if there && in_segment < params.segment_channels {
        let group = segment * params.segment_groups + (in_segment >> params.group_shift);
        let channel = group * params.rows + row;
        var start = 0.0;
        if params.has_bias != 0u {
            start = read_bias(channel);
        }
        write_output(output + channel * params.geometry.out_pixels, start + sum);
    }
}
