// Computes a depthwise convolution, in which each output channel has one input channel: four channels at a time.
//
//     output[c, p] = bias[c] + Σ over the taps t of   weight[c, t] · mask · sample(p, c, t)
//
// Segments and packs are those of pack_input.wgsl and pack_weight_depthwise.wgsl; a segment is the channels of an
// offset group.
//
// Reads   packed_input (this step's packs), packed_weight, offset, mask (1 without one), bias (0 without one): this
//         step's images.
// Writes  output: this step's channels.
// Runs    One invocation owns one pixel of PACKS packs of a segment; a workgroup is 64 neighbouring pixels. Grid:
//         blocks of pixels fastest, then blocks of packs, then segments, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape.
//   1. There is almost no product: sampling takes the time, and one texel brings a corner of four channels.
//   2. The position of a tap is computed once for all packs of an invocation.
//   3. The sums have names, because a vector that is indexed at run time lies in memory. So every invocation has
//      exactly PACKS packs, and the last block of a segment computes its last pack more than once.

//@ uses shared/sample shared/taps shared/texels shared/grid

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
/// [x + 1, (segment, pack, image, y + 1)], four channels of the pack, or with packs along x
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(tap, segment, pack)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, read>;
/// [image, (offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(3) var<storage, read> offset: array<offset_element>;
/// [image, (offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(4) var<storage, read> mask: array<mask_element>;
/// [channel]
//@ operand
@group(0) @binding(5) var<storage, read> bias: array<bias_element>;
/// [image, channel, out_height, out_width]
//@ operand
@group(0) @binding(6) var<storage, read_write> output: array<output_element>;

const WORKGROUP_SIZE = 64u;
/// Packs of one invocation.
const PACKS = 4u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    let pixel_number = number % params.pixel_blocks * WORKGROUP_SIZE + lane;
    let block = number / params.pixel_blocks;
    let segment = block / params.pack_blocks;
    let busy = pixel_number < params.pixels && segment < params.segments;
    let group = params.segment_start + segment;
    // The invocation's packs, counted in the segment from this step's first.
    let pack = block % params.pack_blocks * PACKS;
#for p in 0..PACKS
    let q{p} = min(pack + {p}u, params.segment_packs - 1u);
#end
    let first_pack = segment * params.segment_packs;
#for p in 0..PACKS
    let plane{p} = plane_at(first_pack + q{p});
#end
    let first_weight = group * params.all_segment_packs + params.pack_start;
    // No early return: it would put all that follows into a branch, and a CPU driver executes a branch even if no lane
    // takes it.
    let taps = select(0u, params.geometry.taps, busy);
    let pixel = pixel_at(min(pixel_number, params.pixels - 1u));

#for p in 0..PACKS
    var sum{p} = vec4<f32>();
#end
    for (var n = 0u; n < taps; n++) {
        let tap = tap_at((group * params.geometry.taps + n) * params.geometry.out_pixels, pixel, tap_step(n));
        let weight = n * params.all_packs + first_weight;
#for p in 0..PACKS
        sum{p} += textureLoad(packed_weight, texel_at(weight + q{p})) * sample(tap, plane{p});
#end
    }

    let output = output_at(min(pixel_number, params.pixels - 1u));
#for p in 0..PACKS
    store_pack(busy, group, output, pack + {p}u, sum{p});
#end
}

/// `output` is the index of the pixel's first element.
fn store_pack(busy: bool, group: u32, output: u32, pack: u32, sum: vec4<f32>) {
    let there = busy && pack < params.segment_packs;
    let first = (params.pack_start + pack) * 4u;
    store(there, group, output, first, sum.x);
    store(there, group, output, first + 1u, sum.y);
    store(there, group, output, first + 2u, sum.z);
    store(there, group, output, first + 3u, sum.w);
}

/// `in_segment` is the channel, counted in its segment.
fn store(there: bool, group: u32, output: u32, in_segment: u32, sum: f32) {
    if there && in_segment < params.segment_channels {
        let channel = group * params.segment_channels + in_segment;
        var start = 0.0;
        if params.has_bias != 0u {
            start = read_bias(channel);
        }
        write_output(output + channel * params.geometry.out_pixels, start + sum);
    }
}
