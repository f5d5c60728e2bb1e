// The gradient of the columns: the transposed weight times the gradient of the output, a product of textures.
//
//     grad_column[c, t, p] = Σ over the output channels o of c's weight group of   weight[o, c, t] · grad_output[o, p]
//
// See pack_weight_columns.wgsl and pack_grad_output.wgsl for the operands' layout. `main` is written by
// src/kernel/unroll/backward.rs.
//
// Reads   packed_grad_output, packed_weight_columns.
// Writes  grad_column: 8 quads of channels of one tap, 4 pixels an invocation; padding pixels get 0.
// Runs    An invocation owns 4 pixels, a workgroup LANES times that. Grid: pixels fastest, then taps, then blocks of 8 quads of a
//         weight group, then weight groups, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. As fused_subgroup.wgsl's, with a texel where that samples. Where subgroups have 8 lanes, lane l loads the weights
// of quad l, and r rotations bring it those of quad (l + r) mod 8: an accumulator r is another quad in every lane. Elsewhere
// all lanes load the same weights, which GPUs serve at once.

struct GradColumnParams {
    taps: u32,
    weight_quads: u32,
    first_quad: u32,
    quads: u32,
    segment_quads: u32,
    segment_start: u32,
    segment_end: u32,
    segments_per_group: u32,
    group_start: u32,
    quad_blocks: u32,
    row_quads: u32,
    all_row_quads: u32,
    padded_pixels: u32,
    pixel_blocks: u32,
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: GradColumnParams;
/// [(block, group, quad of out channels, pixel of the block)], four out channels
@group(0) @binding(1) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [(tap, quad of out channels, quad, channel)], four out channels
@group(0) @binding(2) var packed_weight_columns: texture_storage_2d<rgba32float, read>;
/// [(block of quads, tap, pixel, quad)], four channels of the quad: columns_layout.wgsl
@group(0) @binding(3) var<storage, read_write> grad_column: array<vec4<f32>>;

const BLOCK_PIXELS = 32u;

/// Where the texels of a pixel begin in packed_grad_output.
fn grad_output_start(pixel: u32) -> u32 {
    return pixel / BLOCK_PIXELS * params.all_row_quads * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
}
