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
// Reads   packed_input, column_gradient, offset, mask (1 without one): a window of one image's pixels. Of a depth-wise convolution (DEPTHWISE)
//         packed_weight, too, since the gradient of a column is there a product of two numbers.
// Writes  what is wanted of grad_offset, grad_mask (of which later channels of an offset group add to what earlier steps left) and
//         columns, padding pixels included.
// Runs    One invocation is one tap of one pixel, for the channels of an offset group; a workgroup is 64 of them. Grid: pixels
//         fastest, then taps, then offset groups, folded.
// Order   No barrier, no atomic; each sum runs in one order.

struct GradOffsetParams {
    geometry: TapGeometry,
    first_pixel: u32,
    pixels: u32,
    padded_pixels: u32,
    quads: u32,
    segment_quads: u32,
    all_quads: u32,
    first_quad: u32,
    segment_start: u32,
    segment_end: u32,
    segments_per_offset_group: u32,
    group_start: u32,
    invocations: u32,
    offset_base: u32,
    mask_base: u32,
    grad_offset_base: u32,
    grad_mask_base: u32,
    has_mask: u32,
    follows: u32,
    wants_offset: u32,
    wants_mask: u32,
    wants_columns: u32,
    adds_offset: u32,
    adds_mask: u32,
    zero_at_border: u32,
}

@group(0) @binding(0) var<uniform> params: GradOffsetParams;
/// [x + 1, (segment, quad, y + 1)], four channels of the quad
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(tap, pixel, quad)], four channels of the quad; of a depth-wise convolution the gradient of the output,
/// [(block, quad, pixel of the block)]
@group(0) @binding(2) var column_gradient: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, y|x), out_height, out_width]
@group(0) @binding(3) var<storage, read> offset: array<f32>;
/// [(offset group, tap), out_height, out_width]
@group(0) @binding(4) var<storage, read> mask: array<f32>;
/// As offset.
@group(0) @binding(5) var<storage, read_write> grad_offset: array<f32>;
/// As mask.
@group(0) @binding(6) var<storage, read_write> grad_mask: array<f32>;
/// [(tap, pixel, quad)], four channels of the quad
@group(0) @binding(7) var columns: texture_storage_2d<rgba32float, write>;

/// [(tap, segment, quad)] of a depth-wise convolution; of another it is not read
@group(0) @binding(8) var packed_weight: texture_storage_2d<rgba32float, read>;

const WORKGROUP_SIZE = 64u;
const BLOCK_PIXELS = 32u;

/// The gradient of a column, four channels.
fn gradient(tap: u32, pixel: u32, quad: u32) -> vec4<f32> {
    if DEPTHWISE {
        let output = (pixel / BLOCK_PIXELS * params.quads + quad) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
        return textureLoad(column_gradient, texel_at(output))
            * textureLoad(packed_weight, texel_at(tap * params.all_quads + params.first_quad + quad));
    }
    return textureLoad(column_gradient, texel_at((tap * params.padded_pixels + pixel) * params.quads + quad));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    // Not a return: all that follows would be inside a branch.
    let busy = number < params.invocations;
    let padded = number % params.padded_pixels;
    let tap = number / params.padded_pixels % params.geometry.taps;
    let group = params.group_start + number / params.padded_pixels / params.geometry.taps;
    let real = busy && padded < params.pixels;
    let pixel = params.first_pixel + min(padded, params.pixels - 1u);
    let plane = (group - params.group_start) * params.geometry.taps + tap;
    let at = params.offset_base + 2u * plane * params.geometry.out_pixels + pixel;
    let whole = first_tap(pixel) + tap_step(tap);
    let moved_to = moved(whole, at);
    let y = moved_to.y;
    let x = moved_to.x;
    var scale = 1.0;
    if params.has_mask != 0u {
        scale = read_mask(params.mask_base + plane * params.geometry.out_pixels + pixel);
    }

    let position = position_at(y, x, params.geometry.in_height, params.geometry.in_width);
    // Where the derivative can be other than 0: at −1, too.
    let near = is_finite(y) && is_finite(x)
        && y >= -1.0 && y < f32(params.geometry.in_height) && x >= -1.0 && x < f32(params.geometry.in_width);
    let y0 = select(0.0, floor(y), near);
    let x0 = select(0.0, floor(x), near);
    let dy = select(0.0, y - y0, near);
    let dx = select(0.0, x - x0, near);
    // A sample at exactly −1 is 0 whatever the corners hold. Padding pixels and taps that land nowhere read the two zero columns on the right.
    var corner = vec2<u32>(params.geometry.in_width + 1u, 0u);
    if near && real {
        corner = vec2<u32>(vec2<i32>(i32(x0), i32(y0)) + 1);
    }
    let weight = scale * position.weight;
    let group_segment = group * params.segments_per_offset_group;
    let first = max(params.segment_start, group_segment);
    let end = min(params.segment_end, group_segment + params.segments_per_offset_group);
    let quad_end = select(0u, (end - params.segment_start) * params.segment_quads, busy);
    let wants_products = params.wants_offset + params.wants_mask != 0u;
    let column = (tap * params.padded_pixels + padded) * params.quads;
    var d = vec4<f32>();
    for (var quad = (first - params.segment_start) * params.segment_quads; quad < quad_end; quad++) {
        let texel = corner + vec2<u32>(0u, quad * (params.geometry.in_height + 1u));
        let v00 = textureLoad(packed_input, texel);
        if !DEFORMED {
            // Only the columns are wanted.
            textureStore(columns, texel_at(column + quad), v00);
            continue;
        }
        let v01 = textureLoad(packed_input, texel + vec2<u32>(1u, 0u));
        let v10 = textureLoad(packed_input, texel + vec2<u32>(0u, 1u));
        let v11 = textureLoad(packed_input, texel + vec2<u32>(1u, 1u));
        if wants_products {
            let grad = gradient(tap, padded, quad);
            d += vec4<f32>(dot(grad, v00), dot(grad, v01), dot(grad, v10), dot(grad, v11));
        }
        if params.wants_columns != 0u {
            let value = weight.x * v00 + weight.y * v01 + weight.z * v10 + weight.w * v11;
            textureStore(columns, texel_at(column + quad), select(vec4<f32>(), value, position.inside));
        }
    }
    let starts = first == group_segment && params.follows == 0u;
    if real && params.wants_offset != 0u {
        let counts = select(near, position.inside, params.zero_at_border != 0u);
        let grad_y = scale * (dx * (d.w - d.y) + (1.0 - dx) * (d.z - d.x));
        let grad_x = scale * (dy * (d.w - d.z) + (1.0 - dy) * (d.y - d.x));
        let to = params.grad_offset_base + 2u * plane * params.geometry.out_pixels + pixel;
        var before = vec2<f32>();
        if params.adds_offset != 0u || !starts {
            before = vec2<f32>(grad_offset[to], grad_offset[to + params.geometry.out_pixels]);
        }
        let sum = before + select(vec2<f32>(), vec2<f32>(grad_y, grad_x), counts);
        grad_offset[to] = sum.x;
        grad_offset[to + params.geometry.out_pixels] = sum.y;
    }
    if real && params.wants_mask != 0u {
        let to = params.grad_mask_base + plane * params.geometry.out_pixels + pixel;
        var before = 0.0;
        if params.adds_mask != 0u || !starts {
            before = grad_mask[to];
        }
        grad_mask[to] = before + select(0.0, dot(position.weight, d), position.inside);
    }
}
