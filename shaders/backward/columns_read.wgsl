// How grad_weight.wgsl reads the columns that grad_offset.wgsl kept.

//@ uses backward/columns_layout

/// [(block of quads, tap, pixel, quad)], four channels of the quad: columns_layout.wgsl
@group(0) @binding(3) var<storage, read> columns: array<vec4<f32>>;

/// One tap of a quad of columns.
struct Column {
    /// Where the quad's columns lie.
    of_quad: QuadColumns,
    /// The number of the tap's column at the window's first pixel.
    first: u32,
}

fn column_at(tap: u32, quad: u32) -> Column {
    let padded_pixels = params.pixel_blocks * BLOCK_PIXELS;
    return Column(quad_columns(quad, params.quads, params.taps * padded_pixels), tap * padded_pixels);
}

fn column_quad(column: Column, pixel: u32) -> vec4<f32> {
    return columns[column_index(column.of_quad, column.first + pixel)];
}
