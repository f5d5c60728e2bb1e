/// The gradient of a column that grad_column.wgsl has left.
fn gradient(tap: u32, pixel: u32, quad: u32) -> vec4<f32> {
    let of_quad = quad_columns(quad, params.quads, params.taps * params.padded_pixels);
    return textureLoad(column_gradient, column_texel(of_quad, tap * params.padded_pixels + pixel));
}
