//@ uses backward/columns_layout

/// [(block of quads, tap, pixel, quad)], four channels of the quad: columns_layout.wgsl
@group(0) @binding(6) var<storage, read_write> columns: array<vec4<f32>>;

/// Leaves a quad of columns for grad_weight.wgsl.
fn keep_column(column: u32, quad: u32, value: vec4<f32>) {
    columns[column_index(quad_columns(quad, params.quads, params.taps * params.padded_pixels), column)] = value;
}
