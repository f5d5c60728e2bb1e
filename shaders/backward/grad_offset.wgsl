// The gradients of offset and mask, and the columns for that of the weight, from one read of the corners.
//
//     d[y|x corner]          = Σ over the channels of the offset group of   column_gradient · input[corner]
//     grad_mask              = Σ over the corners of   weight · d[corner]
//     grad_offset_y          = mask · (dx·(d11 − d01) + (1 − dx)·(d10 − d00))
//     grad_offset_x          = mask · (dy·(d11 − d10) + (1 − dy)·(d01 − d00))
//     columns[c]             = mask · Σ over the corners of   weight · input[c, corner]
//
// At whole positions these are the right-hand derivatives. At exactly −1 the sample is 0; its derivative is torchvision's, which
// is not, or mmcv's, which is. Where the offset is not finite, all are 0.
//
// Reads   packed_input, packed_taps and by `gradient` the columns' gradients (column_gradient.wgsl, depthwise_gradient.wgsl): a window of one
//         image's pixels.
// Writes  what is wanted of grad_offset and grad_mask (of which later channels of an offset group add to what earlier steps left); by
//         `keep_column`, where grad_weight reads them, the columns, padding pixels included (columns_kept.wgsl, columns_dropped.wgsl).
// Runs    One invocation is one tap of one pixel, for the channels of an offset group; a workgroup is 64 of them. Grid: pixels
//         fastest, then taps, then offset groups, folded.
// Order   No barrier, no atomic; each sum runs in one order.

//@ uses shared/packed_taps shared/texels shared/grid
//@ variant drops_columns uses backward/column_gradient backward/columns_dropped
//@ variant keeps_columns uses backward/column_gradient backward/columns_kept
//@ variant depthwise uses backward/depthwise_gradient backward/columns_dropped

struct Params {
    /// Rows of the input.
    in_height: u32,
    /// Columns of the input.
    in_width: u32,
    /// Taps in all.
    taps: u32,
    /// Pixels of one output plane.
    out_pixels: u32,
    /// First output pixel of the window.
    first_pixel: u32,
    /// Output pixels of the window.
    pixels: u32,
    /// The same, filled up to whole blocks.
    padded_pixels: u32,
    /// Numbers of columns between taps.
    column_stride: u32,
    /// How far a tap lies from the right in the number of a depthwise convolution's column; below lies the pixel.
    tap_shift: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// Packs of all segments.
    all_packs: u32,
    /// The number of this step's first pack among all.
    first_pack: u32,
    /// First segment of this step.
    segment_start: u32,
    /// One past the last.
    segment_end: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// First group of this step.
    group_start: u32,
    /// Invocations with something to do.
    invocations: u32,
    /// Where this step's offset groups start in the bound gradient of the offset.
    grad_offset_base: u32,
    /// The same of the mask.
    grad_mask_base: u32,
    /// 1 where the segment's first channels came in an earlier step.
    follows: u32,
    /// 1 where the gradient of the offset is wanted.
    wants_offset: u32,
    /// 1 where that of the mask is wanted.
    wants_mask: u32,
    /// 1 to add to the gradient of the offset.
    adds_offset: u32,
    /// 1 to add to that of the mask.
    adds_mask: u32,
    /// 1 where the derivative by the position is 0 at exactly −1, as in mmcv.
    zero_at_border: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [x + 1, (segment, pack, y + 1)], four channels of the pack
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, pixel)], (column, y, x, mask)
@group(0) @binding(3) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, y|x), out_height, out_width]
@group(0) @binding(4) var<storage, read_write> grad_offset: array<f32>;
/// [(offset group, tap), out_height, out_width]
@group(0) @binding(5) var<storage, read_write> grad_mask: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    // Not a return: all that follows would be inside a branch.
    let busy = number < params.invocations;
    // The plane of an (offset group, tap). Remainders by multiplication: a CPU driver divides lane by lane.
    let plane = number / params.padded_pixels;
    let pixel = number - plane * params.padded_pixels;
    let group_of_step = plane / params.taps;
    let tap = plane - group_of_step * params.taps;
    let packed = textureLoad(packed_taps, texel_at(number));
    let corner = corner_of(packed);
    let fraction = fraction_of(packed);
    let corners = corner_weights(fraction);
    let inside = touches(packed);
    let weight = packed.w * corners;

    let group = params.group_start + group_of_step;
    let group_segment = group * params.segments_per_offset_group;
    let first = max(params.segment_start, group_segment);
    let end = min(params.segment_end, group_segment + params.segments_per_offset_group);
    let pack_end = select(0u, (end - params.segment_start) * params.segment_packs, busy);
    let wants_products = params.wants_offset + params.wants_mask != 0u;
    let column = tap * params.column_stride + pixel;
    var d = vec4<f32>();
    for (var pack = (first - params.segment_start) * params.segment_packs; pack < pack_end; pack++) {
        let texel = corner + vec2<u32>(0u, pack * (params.in_height + 1u));
        let v00 = textureLoad(packed_input, texel);
        let v01 = textureLoad(packed_input, texel + vec2<u32>(1u, 0u));
        let v10 = textureLoad(packed_input, texel + vec2<u32>(0u, 1u));
        let v11 = textureLoad(packed_input, texel + vec2<u32>(1u, 1u));
        if wants_products {
            let grad = gradient(gradients_of(pack, params.taps * params.padded_pixels), column);
            d += vec4<f32>(dot(grad, v00), dot(grad, v01), dot(grad, v10), dot(grad, v11));
        }
        let value = weight.x * v00 + weight.y * v01 + weight.z * v10 + weight.w * v11;
        keep_column(column, pack, select(vec4<f32>(), value, inside));
    }
    let real = busy && pixel < params.pixels;
    let starts = first == group_segment && params.follows == 0u;
    if real && params.wants_offset != 0u {
        // Where the derivative can be other than 0: at −1, too.
        let near = packed.z < f32(params.in_width);
        let counts = select(near, inside, params.zero_at_border != 0u);
        let dx = fraction.x;
        let dy = fraction.y;
        let grad_y = packed.w * (dx * (d.w - d.y) + (1.0 - dx) * (d.z - d.x));
        let grad_x = packed.w * (dy * (d.w - d.z) + (1.0 - dy) * (d.y - d.x));
        let to = params.grad_offset_base + 2u * plane * params.out_pixels + params.first_pixel + pixel;
        var before = vec2<f32>();
        if params.adds_offset != 0u || !starts {
            before = vec2<f32>(grad_offset[to], grad_offset[to + params.out_pixels]);
        }
        let sum = before + select(vec2<f32>(), vec2<f32>(grad_y, grad_x), counts);
        grad_offset[to] = sum.x;
        grad_offset[to + params.out_pixels] = sum.y;
    }
    if real && params.wants_mask != 0u {
        let to = params.grad_mask_base + plane * params.out_pixels + params.first_pixel + pixel;
        var before = 0.0;
        if params.adds_mask != 0u || !starts {
            before = grad_mask[to];
        }
        grad_mask[to] = before + select(0.0, dot(corners, d), inside);
    }
}
