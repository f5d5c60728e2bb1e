// Samples straight into the product: the deformable convolution without a column buffer, for CPU drivers with subgroups of 8.
//
//     output[o, p] = bias[o] + Σ over the segments s of o's group, taps t and packs q of   weight[o, s, t, q] · (mask · sample)(p, s, t, q)
//
// A segment is a run of input channels that share their weight group and their offset group, a pack four channels of it: see
// pack_input.wgsl and pack_weight.wgsl.
//
// Reads   packed_input, packed_weight, offset, mask (1 without one), bias (0 without one): one image.
// Writes  output: OUT_CHANNELS channels of 32 pixels a workgroup. A step that does not hold a group's first channels adds to what
//         earlier steps left.
// Runs    A workgroup is one subgroup of 8. Lane l samples pixels l, l + 8, … of the block and holds output channels l, l + 8, …
//         of each block of 8 weights; r rotations bring it every weight of the 8. Grid: pixel blocks fastest, then row blocks,
//         then weight groups, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. On Mesa's CPU driver a storage-buffer or workgroup-memory access whose address differs between lanes is a loop
// over the lanes with a branch in each turn, and a barrier suspends every vector; a texel is read inline. So both operands of the
// product come from textures, nothing is shared through memory, and the sum stays in 4·OUT_CHANNELS accumulators, which the
// driver keeps in the first-level cache. A texel costs about as much as 25 multiply-adds of 8 lanes: 16 of them sample a pack of
// 32 pixels, for all OUT_CHANNELS outputs, and one brings 8 outputs' weights. Passing these round costs one instruction a
// weight where a broadcast costs two. The accumulators must be scalars with names, since an array that is indexed at run time is
// a loop over lanes again: hence a generator.

//@ uses shared/sample shared/taps shared/grid
//@ variant out64 OUT_CHANNELS=64u
//@ variant out32 OUT_CHANNELS=32u

struct Params {
    /// Where taps sample.
    geometry: TapGeometry,
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
    /// Output channels of a weight group.
    rows: u32,
    /// Blocks of output channels of a weight group.
    row_blocks: u32,
    /// Blocks of output pixels.
    pixel_blocks: u32,
    /// First weight group of this step.
    group_start: u32,
    /// Workgroups with something to do.
    blocks: u32,
    /// Where the image starts in the bound offset.
    offset_base: u32,
    /// Where the image starts in the bound mask.
    mask_base: u32,
    /// Where the image starts in the bound output.
    output_base: u32,
    /// 1 where there is a mask (v2), 0 where there is none (v1).
    has_mask: u32,
    /// 1 where there is a bias.
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [x + 1, (segment, pack, y + 1)], four channels of the pack
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(group, out channel of the group), (segment, tap, pack)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(3) var<storage, read> offset: array<offset_element>;
/// [(offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(4) var<storage, read> mask: array<mask_element>;
/// [out channel]
//@ operand
@group(0) @binding(5) var<storage, read> bias: array<bias_element>;
/// [out channel, out_height, out_width]
//@ operand
@group(0) @binding(6) var<storage, read_write> output: array<output_element>;

/// Lanes of the subgroup, which is a workgroup.
const SUBGROUP_SIZE = 8u;
/// Pixels of one invocation.
const PIXELS_PER_INVOCATION = 4u;
/// Blocks of output channels, one of which a lane loads and the others get from other lanes.
const BLOCKS = OUT_CHANNELS / SUBGROUP_SIZE;

/// Finishes one output: the bias where the group's first channels are in this step, what earlier steps left where not.
fn store(channel: u32, pixel: u32, first: bool, sum: f32) {
    let at = params.output_base + channel * params.geometry.out_pixels + pixel;
    var start = 0.0;
    if !first {
        start = read_output(at);
    } else if params.has_bias != 0u {
        start = read_bias(channel);
    }
    write_output(at, start + sum);
}

@compute @workgroup_size(SUBGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    // Not a return: all that follows would be inside a branch, which takes a driver twice the time to compile.
    let busy = number < params.blocks;
    let pixel = number % params.pixel_blocks * PIXELS_PER_INVOCATION * SUBGROUP_SIZE + lane;
    let row = number / params.pixel_blocks % params.row_blocks * OUT_CHANNELS;
    let group = params.group_start + number / params.pixel_blocks / params.row_blocks;
    let group_segment = group * params.segments_per_group;
    let segment_start = max(group_segment, params.segment_start);
    let segment_end = min(group_segment + params.segments_per_group, params.segment_end);
    let column = group * params.rows + row + lane;
    let plane_height = params.geometry.in_height + 1u;
    // Lanes past the last pixel repeat it, and store nothing.
#for p in 0..PIXELS_PER_INVOCATION
    let pixel_{p} = min(pixel + {p * SUBGROUP_SIZE}u, params.geometry.out_pixels - 1u);
    let start_{p} = first_tap(pixel_{p});
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
    // Not a loop for segments and one for taps: at every entry and exit of a loop the accumulators are moved.
    var segment = segment_start;
    var tap = 0u;
    var i = 0u;
    var j = 0u;
    let packs = params.pack_end - params.pack_start;
    let taps = select(0u, (segment_end - segment_start) * params.geometry.taps, busy);
    for (var n = 0u; n < taps; n++) {
        let plane = (segment / params.segments_per_offset_group * params.geometry.taps + tap) * params.geometry.out_pixels;
        let step = vec2<i32>(vec2<u32>(j * params.geometry.dil_w, i * params.geometry.dil_h));
#for p in 0..PIXELS_PER_INVOCATION
        let tap_{p} = tap_at(plane, pixel_{p}, start_{p} + step);
#end
        var plane_row = (segment - params.segment_start) * packs * plane_height;
        let first_row = ((segment - group_segment) * params.geometry.taps + tap) * params.packs + params.pack_start;
        let end_row = first_row + packs;
        tap++;
        j++;
        if j == params.geometry.kernel_width {
            j = 0u;
            i++;
        }
        if tap == params.geometry.taps {
            tap = 0u;
            i = 0u;
            segment++;
        }
        for (var weight_row = first_row; weight_row < end_row; weight_row++) {
#for p in 0..PIXELS_PER_INVOCATION
            let s_{p} = sample(tap_{p}, plane_row);
#end
            // All texels before the first product: Mesa 25's CPU driver reads each in a call, and its compiler moves whatever is summed between two
            // calls behind the last, which took twice the time.
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
            plane_row += plane_height;
        }
    }
    let first = segment_start == group_segment && params.pack_start == 0u;
    // One copy of the code that stores, since a driver takes longer to compile 256 of them than all the rest.
    var sums = array<f32, PIXELS_PER_INVOCATION * OUT_CHANNELS>(
#for p in 0..PIXELS_PER_INVOCATION
#for b in 0..BLOCKS
#for r in 0..SUBGROUP_SIZE
        a_{p}_{b}_{r},
#end
#end
#end
    );
    for (var n = 0u; n < PIXELS_PER_INVOCATION * OUT_CHANNELS; n++) {
        let p = pixel + n / OUT_CHANNELS * SUBGROUP_SIZE;
        let o = row + n % OUT_CHANNELS / SUBGROUP_SIZE * SUBGROUP_SIZE + (lane + n) % SUBGROUP_SIZE;
        if busy && p < params.geometry.out_pixels && o < params.rows {
            store(group * params.rows + o, p, first, sums[n]);
        }
    }
}
