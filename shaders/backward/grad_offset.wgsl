// Computes the gradients of offset and mask, and the columns that the gradient of the weight needs.
//
//     d[corner]      = Σ over the channels of the offset group of   grad_column · input[corner]
//     grad_mask      = Σ over the corners of   weight · d[corner]
//     grad_offset_y  = mask · (dx·(d11 − d01) + (1 − dx)·(d10 − d00))
//     grad_offset_x  = mask · (dy·(d11 − d10) + (1 − dy)·(d01 − d00))
//     columns[c]     = mask · Σ over the corners of   weight · input[c, corner]
//
// At whole positions these are the right-hand derivatives. At exactly −1 the sample is 0. Its derivative there is
// torchvision's, which is not 0, or mmcv's, which is 0 (`zero_at_border`). Where the offset is not finite, the sample and
// its derivatives are 0.
//
// The first corner of a tap whose sample is 0 is a zero beside the image, so d00 is 0, or NaN if a gradient of a column
// is not finite. It stands for 0 · grad_column: a NaN is never hidden.
//
// The plain algorithm is a loop over the channels for every tap of every pixel: it reads the four corners and the
// gradient of the column, and adds to the three gradients. The kernel departs from it in five ways.
//
//   1. It takes four channels at a time, because a texel of packed_input holds a corner of a whole pack.
//   2. It sums the products per corner (d), and turns them into the three gradients once after the loop. The gradients
//      are linear in d, so the result is the same, and the fractions multiply once per tap and not once per channel.
//   3. It stores the columns for grad_weight.wgsl, if that reads them: the corners have been read already. Whether it
//      does is a variant and not a branch, because a CPU driver executes a branch even if no lane takes it.
//   4. A step may have only some channels of an offset group. The gradients are sums over channels, so a later step
//      adds its part (`follows`).
//   5. Positions, weights and masks come from packed_taps, which pack_taps.wgsl computed once for this kernel and all
//      others.
//
// Reads   packed_input, packed_taps, and through `gradient` the gradients of the columns (column_gradient.wgsl,
//         depthwise_gradient.wgsl): a part's pixels.
// Writes  grad_offset and grad_mask, those that are wanted; through `keep_column` the columns, padding pixels included
//         (columns_kept.wgsl).
// Runs    One invocation is one tap of one pixel, for the channels of an offset group; a workgroup is 64 of them. Grid:
//         pixels fastest, then taps, then offset groups, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. One read of the corners serves all three gradients and the columns; neighbouring lanes take
// neighbouring pixels of one tap.

//@ uses shared/packed_taps shared/packed_planes shared/texels shared/grid
//@ variant drops_columns uses backward/column_gradient backward/columns_dropped
//@ variant keeps_columns uses backward/column_gradient backward/columns_kept
//@ variant depthwise uses backward/depthwise_gradient backward/columns_dropped

struct Params {
    /// Columns from a pack's plane of the packed input to the next pack's.
    plane_columns: u32,
    /// Rows from a pack's plane of the packed input to the next pack's.
    plane_rows: u32,
    /// Columns of the input.
    in_width: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Pixels of one output plane.
    out_pixels: u32,
    /// First output pixel of the part in its first image.
    first_pixel: u32,
    /// Output pixels of the part, of all its images.
    pixels: u32,
    /// `pixels` rounded up to whole blocks.
    padded_pixels: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// Packs of all segments.
    all_packs: u32,
    /// Number of this step's first pack among the packs of all segments.
    first_pack: u32,
    /// First segment of this step.
    segment_start: u32,
    /// One past the last segment of this step.
    segment_end: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// First offset group of this step.
    group_start: u32,
    /// Invocations that have work; the rest of the grid is idle.
    invocations: u32,
    /// Elements between images of the gradient of the offset.
    grad_offset_image_stride: u32,
    /// Elements between images of the gradient of the mask.
    grad_mask_image_stride: u32,
    /// Start of this step's offset groups in the bound gradient of the offset, in elements.
    grad_offset_base: u32,
    /// Start of this step's offset groups in the bound gradient of the mask, in elements.
    grad_mask_base: u32,
    /// 1 if an earlier step had the segment's first channels.
    follows: u32,
    /// 1 to compute the gradient of the offset.
    wants_offset: u32,
    /// 1 to compute the gradient of the mask.
    wants_mask: u32,
    /// 1 to add to the gradient of the offset, 0 to replace it.
    adds_offset: u32,
    /// 1 to add to the gradient of the mask, 0 to replace it.
    adds_mask: u32,
    /// 1 for mmcv's derivative with respect to the position at exactly −1, which is 0.
    zero_at_border: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [x + 1, (segment, pack, image, y + 1)], four channels of the pack, or with packs along x
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(3) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [image, (offset group, tap, y|x), out_height, out_width]
@group(0) @binding(4) var<storage, read_write> grad_offset: array<f32>;
/// [image, (offset group, tap), out_height, out_width]
@group(0) @binding(5) var<storage, read_write> grad_mask: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    // No early return: it would put all that follows into a branch, and a CPU driver executes a branch even if no lane
    // takes it.
    let busy = number < params.invocations;
    // The plane of an (offset group, tap). Products give the remainders, because a CPU driver divides lane by lane.
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
    let column = tap * params.padded_pixels + pixel;
    var d = vec4<f32>();
    for (var pack = (first - params.segment_start) * params.segment_packs; pack < pack_end; pack++) {
        let texel = corner + plane_at(pack);
        let v00 = textureLoad(packed_input, texel);
        let v01 = textureLoad(packed_input, texel + vec2<u32>(1u, 0u));
        let v10 = textureLoad(packed_input, texel + vec2<u32>(0u, 1u));
        let v11 = textureLoad(packed_input, texel + vec2<u32>(1u, 1u));
        if wants_products {
            let grad = gradient(gradients_of(pack, params.taps * params.padded_pixels), column);
            d += vec4<f32>(dot(grad, v00), dot(grad, v01), dot(grad, v10), dot(grad, v11));
        }
        let value = weight.x * v00 + weight.y * v01 + weight.z * v10 + weight.w * v11;
        keep_column(column, pack, select(packed.w * v00, value, inside));
    }
    let real = busy && pixel < params.pixels;
    let number_of_pixel = params.first_pixel + pixel;
    let image = number_of_pixel / params.out_pixels;
    let in_image = number_of_pixel - image * params.out_pixels;
    let starts = first == group_segment && params.follows == 0u;
    if real && params.wants_offset != 0u {
        // Whether the derivative can be other than 0. It can at exactly −1. A tap that touches no pixel reads zeros.
        let counts = inside || params.zero_at_border == 0u;
        let dx = fraction.x;
        let dy = fraction.y;
        let grad_y = packed.w * (dx * (d.w - d.y) + (1.0 - dx) * (d.z - d.x));
        let grad_x = packed.w * (dy * (d.w - d.z) + (1.0 - dy) * (d.y - d.x));
        let to = params.grad_offset_base + image * params.grad_offset_image_stride + 2u * plane * params.out_pixels + in_image;
        var before = vec2<f32>();
        if params.adds_offset != 0u || !starts {
            before = vec2<f32>(grad_offset[to], grad_offset[to + params.out_pixels]);
        }
        let sum = before + select(vec2<f32>(packed.w * d.x), vec2<f32>(grad_y, grad_x), counts);
        grad_offset[to] = sum.x;
        grad_offset[to + params.out_pixels] = sum.y;
    }
    if real && params.wants_mask != 0u {
        let to = params.grad_mask_base + image * params.grad_mask_image_stride + plane * params.out_pixels + in_image;
        var before = 0.0;
        if params.adds_mask != 0u || !starts {
            before = grad_mask[to];
        }
        grad_mask[to] = before + select(d.x, dot(corners, d), inside);
    }
}
