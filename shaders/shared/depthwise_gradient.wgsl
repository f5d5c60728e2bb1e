/// [(tap, segment, quad)]
@group(0) @binding(6) var packed_weight: texture_storage_2d<rgba32float, read>;

const BLOCK_PIXELS = 32u;

/// The gradient of a column of a depth-wise convolution: a product of two numbers.
fn gradient(tap: u32, pixel: u32, quad: u32) -> vec4<f32> {
    let output = (pixel / BLOCK_PIXELS * params.quads + quad) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
    return textureLoad(column_gradient, texel_at(output))
        * textureLoad(packed_weight, texel_at(tap * params.all_quads + params.first_quad + quad));
}
