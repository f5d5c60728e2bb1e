/// [(tap, pixel, quad)], four channels of the quad
@group(0) @binding(6) var columns: texture_storage_2d<rgba32float, write>;

/// Leaves a quad of columns for grad_weight.wgsl.
fn keep_column(index: u32, value: vec4<f32>) {
    textureStore(columns, texel_at(index), value);
}
