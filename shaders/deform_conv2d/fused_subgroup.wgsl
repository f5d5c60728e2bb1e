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

/// Where one tap of one output pixel samples every channel of a segment.
struct Tap {
    /// The texel of the corner (y0, x0) in the texture's first plane.
    corner: vec2<u32>,
    /// The weights of the corners (y0, x0) (y0, x1) (y1, x0) (y1, x1), times the mask.
    weight: vec4<f32>,
}

/// `plane` is where the (offset group, tap)'s plane of the mask starts, `whole` the whole-number part of the position (x, y).
fn tap_at(plane: u32, pixel: u32, whole: vec2<i32>) -> Tap {
    let at = params.offset_base + 2u * plane + pixel;
    let moved_to = moved(whole, at);
    var scale = 1.0;
    if params.has_mask != 0u {
        scale = read_mask(params.mask_base + plane + pixel);
    }
    let position = position_at(moved_to.y, moved_to.x, params.geometry.in_height, params.geometry.in_width);
    // A sample that counts 0 is one of the two zero columns on the right: its mask still counts, and may be NaN.
    let nowhere = vec2<u32>(params.geometry.in_width + 1u, 0u);
    return Tap(select(nowhere, vec2<u32>(position.corner + 1), position.inside), scale * position.weight);
}

/// Four channels of the input, sampled: `row` is the first row of the quad's plane.
fn sample(tap: Tap, row: u32) -> vec4<f32> {
    let at = tap.corner + vec2<u32>(0u, row);
    if !DEFORMED {
        return textureLoad(packed_input, at);
    }
    return tap.weight.x * textureLoad(packed_input, at)
        + tap.weight.y * textureLoad(packed_input, at + vec2<u32>(1u, 0u))
        + tap.weight.z * textureLoad(packed_input, at + vec2<u32>(0u, 1u))
        + tap.weight.w * textureLoad(packed_input, at + vec2<u32>(1u, 1u));
}

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
