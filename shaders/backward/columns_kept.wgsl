//@ uses backward/columns_layout

/// [(block of packs, tap, pixel, pack)], four channels of the pack: columns_layout.wgsl
@group(0) @binding(6) var<storage, read_write> columns: array<vec4<f32>>;

/// Stores a pack of columns for grad_weight.wgsl.
fn keep_column(column: u32, pack: u32, value: vec4<f32>) {
    columns[column_index(columns_of(pack, params.packs, params.taps * params.padded_pixels), column)] = value;
}
