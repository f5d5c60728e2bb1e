// The gradient of a column of a depth-wise convolution: a product of two numbers. What column_gradient.wgsl is elsewhere.
//
//     column = tap·2^tap_shift + pixel

//@ uses backward/pixel_blocks shared/texels

/// [(block, quad, pixel of the block)], four channels of the quad
@group(0) @binding(2) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [(tap, segment, quad)]
@group(0) @binding(6) var packed_weight: texture_storage_2d<rgba32float, read>;

alias QuadGradients = u32;

fn quad_gradients(quad: u32, columns: u32) -> QuadGradients {
    return quad;
}

fn gradient(quad: QuadGradients, column: u32) -> vec4<f32> {
    let tap = column >> params.tap_shift;
    let pixel = column - (tap << params.tap_shift);
    let output = (pixel / BLOCK_PIXELS * params.quads + quad) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
    return textureLoad(packed_grad_output, texel_at(output))
        * textureLoad(packed_weight, texel_at(tap * params.all_quads + params.first_quad + quad));
}
