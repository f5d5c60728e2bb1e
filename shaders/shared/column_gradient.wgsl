/// The gradient of a column that grad_column.wgsl has left.
fn gradient(tap: u32, pixel: u32, quad: u32) -> vec4<f32> {
    return textureLoad(column_gradient, texel_at((tap * params.padded_pixels + pixel) * params.quads + quad));
}
