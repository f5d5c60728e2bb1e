// Samples straight into the product: the deformable convolution without a column buffer, for CPU drivers with subgroups
// of 8.
//
//     output[o, p] = bias[o] + Σ over the segments s of o's weight group, the taps t and the packs q of   weight[o, s, t, q] · (mask · sample)(p, s, t, q)
//
// The product of two packs is their dot product. Segments and packs are those of pack_input.wgsl and pack_weight.wgsl.
//
// Reads   packed_input, packed_weight, offset, mask (1 without one), bias (0 without one): this step's images.
// Writes  output: OUT_CHANNELS channels of 32 pixels per workgroup. A step without a weight group's first channels,
//         taps and input rows adds to what earlier steps wrote.
// Runs    A workgroup is one subgroup of 8. Lane l samples the pixels l, l + 8, … of the block, and loads the weights
//         of the output channels l, l + 8, …. Rotation r of the subgroup brings it the weights of lane (l + r) mod 8.
//         Grid: blocks of pixels fastest, then blocks of output channels, then weight groups, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. Mesa's CPU driver sets the costs.
//   1. An access to a storage buffer or to workgroup memory whose address differs between lanes is a loop over the
//      lanes with a branch in each iteration, and a barrier suspends every vector. A texel is read inline. So both
//      operands of the product are textures, and lanes share nothing through memory.
//   2. A texel costs about as much as 25 multiply-adds of 8 lanes. Sixteen texels sample a pack of 32 pixels for all
//      OUT_CHANNELS outputs, and one texel brings the weights of 8 outputs.
//   3. A rotation costs one instruction per weight, a broadcast two.
//   4. An access to a storage buffer takes as long where no lane makes it. So a lane loads the bias of one channel of each
//      block and passes it on, and only the variants for parts of a sum read the output.
//   5. The 4·OUT_CHANNELS sums of an invocation are scalars with names, because an array that is indexed at run time is
//      again a loop over the lanes. The driver keeps them in the first-level cache.

//@ uses shared/pixels shared/sample shared/subgroup shared/grid
//@ constant OUT_CHANNELS Output channels of one invocation.
//@ constant PARTIAL Whether the step may have some terms of its sums only: some channels, taps or rows of the input.
//@ variant out64 OUT_CHANNELS=64u PARTIAL=false
//@ variant out32 OUT_CHANNELS=32u PARTIAL=false
//@ variant out8 OUT_CHANNELS=8u PARTIAL=false
//@ variant out64_partial OUT_CHANNELS=64u PARTIAL=true
//@ variant out32_partial OUT_CHANNELS=32u PARTIAL=true
//@ variant out8_partial OUT_CHANNELS=8u PARTIAL=true

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// First row of the input in the packed input. 0 if a step has several images.
    input_row_start: u32,
    /// Rows of each image in the packed input.
    input_rows: u32,
    /// Columns from a pack's plane of the packed input to the next pack's.
    plane_columns: u32,
    /// Rows from a pack's plane of the packed input to the next pack's.
    plane_rows: u32,
    /// Segments of a weight group.
    segments_per_group: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// First segment of this step.
    segment_start: u32,
    /// One past the last segment of this step.
    segment_end: u32,
    /// Packs of a segment in the packed weight.
    packs: u32,
    /// First pack of each segment in this step.
    pack_start: u32,
    /// One past the last pack of each segment in this step.
    pack_end: u32,
    /// First tap of this step.
    tap_start: u32,
    /// One past the last tap of this step.
    tap_end: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// First of these in this step.
    row_start: u32,
    /// One past the last of these in this step.
    row_end: u32,
    /// Blocks of output channels of a weight group in this step.
    row_blocks: u32,
    /// Output pixels of all images of this step.
    pixels: u32,
    /// Blocks of output pixels.
    pixel_blocks: u32,
    /// First weight group of this step.
    group_start: u32,
    /// Workgroups that have work; the rest of the grid is idle.
    blocks: u32,
    /// Elements between images of the offset.
    offset_image_stride: u32,
    /// Elements between images of the mask.
    mask_image_stride: u32,
    /// Elements between images of the output.
    output_image_stride: u32,
    /// Start of the first image in the bound offset, in elements. Like the two below it may be negative, modulo 2³²: a
    /// step of some taps or output channels binds no others.
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
/// [(group, out channel of the group), (segment, tap, pack)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, read>;
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

/// Pixels of one invocation.
const PIXELS_PER_INVOCATION = 4u;
/// Blocks of SUBGROUP_SIZE output channels. A lane loads the weights of one channel of each block and gets the others
/// from the other lanes.
const BLOCKS = OUT_CHANNELS / SUBGROUP_SIZE;

/// Writes one output. `first` says that this step has the weight group's first channels, taps and input rows, and the sum
/// the bias. Otherwise it is added to what earlier steps wrote.
fn store(at: u32, first: bool, sum: f32) {
    var start = 0.0;
    if PARTIAL && !first {
        start = read_output(at);
    }
    write_output(at, start + sum);
}

/// Returns the tap. One that touches no packed row reads zeros.
fn packed_tap(plane: u32, pixel: Pixel, step: vec2<i32>) -> Tap {
    let tap = tap_at(plane, pixel, step);
    if !PARTIAL {
        return tap;
    }
    // A row above the packed ones wraps around to a large number.
    let row = tap.corner.y - params.input_row_start;
    return Tap(select(nowhere(), vec2<u32>(tap.corner.x, row), row <= params.input_rows), tap.weight);
}

/// Returns the bias of a channel, and 0 in a step that adds to the output of an earlier one.
fn bias_of(channel: u32, first: bool) -> f32 {
    if params.has_bias != 0u && first {
        return read_bias(channel);
    }
    return 0.0;
}

@compute @workgroup_size(SUBGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    // No early return: it would put all that follows into a branch, which takes a driver twice the time to compile.
    let busy = number < params.blocks;
    let pixel = number % params.pixel_blocks * PIXELS_PER_INVOCATION * SUBGROUP_SIZE + lane;
    let row = params.row_start + number / params.pixel_blocks % params.row_blocks * OUT_CHANNELS;
    let group = params.group_start + number / params.pixel_blocks / params.row_blocks;
    let group_segment = group * params.segments_per_group;
    let segment_start = max(group_segment, params.segment_start);
    let segment_end = min(group_segment + params.segments_per_group, params.segment_end);
    let column = group * params.rows + row + lane;
    // Lanes past the last pixel compute from whatever lies there, and store nothing.
#for p in 0..PIXELS_PER_INVOCATION
    let pixel_{p} = pixel_at(pixel + {p * SUBGROUP_SIZE}u);
#end
#for r in 1..SUBGROUP_SIZE
    let from_{r} = (lane + {r}u) % SUBGROUP_SIZE;
#end
#for p in 0..PIXELS_PER_INVOCATION
#for b in 0..BLOCKS
#for r in 0..SUBGROUP_SIZE
    var a_{p}_{b}_{r} = 0.0;
#end
#end
#end
    // One loop over all taps of all segments: a driver moves all sums at every entry and exit of a loop.
    let first_i = params.tap_start / params.geometry.kernel_width;
    let first_j = params.tap_start % params.geometry.kernel_width;
    var segment = segment_start;
    var tap = params.tap_start;
    var i = first_i;
    var j = first_j;
    let packs = params.pack_end - params.pack_start;
    let taps = select(0u, (segment_end - segment_start) * (params.tap_end - params.tap_start), busy);
    for (var n = 0u; n < taps; n++) {
        let plane = (segment / params.segments_per_offset_group * params.geometry.taps + tap) * params.geometry.out_pixels;
        let step = vec2<i32>(vec2<u32>(j * params.geometry.dil_w, i * params.geometry.dil_h));
#for p in 0..PIXELS_PER_INVOCATION
        let tap_{p} = packed_tap(plane, pixel_{p}, step);
#end
        var input_plane = plane_at((segment - params.segment_start) * packs);
        let first_row = ((segment - group_segment) * params.geometry.taps + tap) * params.packs + params.pack_start;
        let end_row = first_row + packs;
        tap++;
        j++;
        if j == params.geometry.kernel_width {
            j = 0u;
            i++;
        }
        if tap == params.tap_end {
            tap = params.tap_start;
            i = first_i;
            j = first_j;
            segment++;
        }
        for (var weight_row = first_row; weight_row < end_row; weight_row++) {
#for p in 0..PIXELS_PER_INVOCATION
            let s_{p} = sample(tap_{p}, input_plane);
#end
            // All texels are read before the first product. Mesa 25's CPU driver reads each texel in a call, and its
            // compiler moves sums between two calls behind the last call, which took twice the time.
#for b in 0..BLOCKS
            let w_{b}_0 = textureLoad(packed_weight, vec2<u32>(column + {b * SUBGROUP_SIZE}u, weight_row));
#end
#for b in 0..BLOCKS
#for r in 0..SUBGROUP_SIZE
#if r > 0
            let w_{b}_{r} = subgroupShuffle(w_{b}_0, from_{r});
#end
#for p in 0..PIXELS_PER_INVOCATION
            a_{p}_{b}_{r} = a_{p}_{b}_{r} + s_{p}.x * w_{b}_{r}.x + s_{p}.y * w_{b}_{r}.y + s_{p}.z * w_{b}_{r}.z + s_{p}.w * w_{b}_{r}.w;
#end
#end
#end
            input_plane += plane_at(1u);
        }
    }
    let first = segment_start == group_segment && params.pack_start == 0u && params.tap_start == 0u && params.input_row_start == 0u;
    // No lane reads past the group's last channel.
    let last_column = group * params.rows + params.row_end - 1u;
#for b in 0..BLOCKS
    let bias_{b}_0 = bias_of(min(column + {b * SUBGROUP_SIZE}u, last_column), first);
#for r in 1..SUBGROUP_SIZE
    let bias_{b}_{r} = subgroupShuffle(bias_{b}_0, from_{r});
#end
#end
    // One copy of the code that stores a block: a driver takes longer to compile 32 copies than all the rest.
    var sums = array<f32, PIXELS_PER_INVOCATION * OUT_CHANNELS>(
#for p in 0..PIXELS_PER_INVOCATION
#for b in 0..BLOCKS
#for r in 0..SUBGROUP_SIZE
        bias_{b}_{r} + a_{p}_{b}_{r},
#end
#end
#end
    );
    let outputs = array<u32, PIXELS_PER_INVOCATION>(
#for p in 0..PIXELS_PER_INVOCATION
        output_at(pixel + {p * SUBGROUP_SIZE}u),
#end
    );
    for (var n = 0u; n < PIXELS_PER_INVOCATION * BLOCKS; n++) {
        let p = n / BLOCKS;
        let o = row + n % BLOCKS * SUBGROUP_SIZE;
        let there = busy && pixel + p * SUBGROUP_SIZE < params.pixels;
        let output = outputs[p] + group * params.rows * params.geometry.out_pixels;
#for r in 0..SUBGROUP_SIZE
        let o_{r} = o + (lane + {r}u) % SUBGROUP_SIZE;
        if there && o_{r} < params.row_end {
            store(output + o_{r} * params.geometry.out_pixels, first, sums[n * SUBGROUP_SIZE + {r}u]);
        }
#end
    }
}
