// Samples straight into the product: the deformable convolution without a column buffer, for CPU drivers with subgroups of 8.
//
//     output[o, p] = bias[o] + Σ over the segments s of o's group, taps t and quads q of   weight[o, s, t, q] · (mask · sample)(p, s, t, q)
//
// A segment is a run of input channels that share their weight group and their offset group, a quad four channels of it: see
// pack_input.wgsl and pack_weight.wgsl. `main` is written by src/kernel/unroll.rs.
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
// driver keeps in the first-level cache. A texel costs about as much as 25 multiply-adds of 8 lanes: 16 of them sample a quad of
// 32 pixels, for all OUT_CHANNELS outputs, and one brings 8 outputs' weights. Passing these round costs one instruction a
// weight where a broadcast costs two. The accumulators must be scalars with names, since an array that is indexed at run time is
// a loop over lanes again: hence a generator.

struct FusedSubgroupParams {
    geometry: TapGeometry,
    segments_per_group: u32,
    segments_per_offset_group: u32,
    segment_start: u32,
    segment_end: u32,
    quads: u32,
    quad_start: u32,
    quad_end: u32,
    rows: u32,
    row_blocks: u32,
    pixel_blocks: u32,
    group_start: u32,
    blocks: u32,
    offset_base: u32,
    mask_base: u32,
    output_base: u32,
    has_mask: u32,
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: FusedSubgroupParams;
/// [x + 1, (segment, quad, y + 1)], four channels of the quad
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(group, out channel of the group), (segment, tap, quad)], four channels of the quad
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, y|x), out_height, out_width]
@group(0) @binding(3) var<storage, read> offset: array<f32>;
/// [(offset group, tap), out_height, out_width]
@group(0) @binding(4) var<storage, read> mask: array<f32>;
/// [out channel]
@group(0) @binding(5) var<storage, read> bias: array<f32>;
/// [out channel, out_height, out_width]
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

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
