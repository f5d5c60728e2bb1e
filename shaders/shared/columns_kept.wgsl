/// [(block of quads, tap, pixel, quad)], four channels of the quad: columns_layout.wgsl
@group(0) @binding(6) var columns: texture_storage_2d<rgba32float, write>;

/// Leaves a quad of columns for grad_weight.wgsl.
fn keep_column(column: u32, quad: u32, value: vec4<f32>) {
    let of_quad = quad_columns(quad, params.quads, params.taps * params.padded_pixels);
    textureStore(columns, column_texel(of_quad, column), value);
}
