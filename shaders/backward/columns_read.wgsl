// Reads the columns that grad_offset.wgsl stored. columns_sampled.wgsl has the same functions where they were not
// stored.

//@ uses backward/columns_layout

/// [(block of packs, tap, pixel, pack)], four channels of the pack: columns_layout.wgsl
@group(0) @binding(3) var<storage, read> columns: array<vec4<f32>>;

/// One tap of a pack of columns.
struct Column {
    /// Where the pack's columns lie.
    of_pack: PackColumns,
    /// Number of the tap's column at the part's first pixel.
    first: u32,
}

fn column_at(tap: u32, pack: u32) -> Column {
    let padded_pixels = params.pixel_blocks * BLOCK_PIXELS;
    return Column(columns_of(pack, params.packs, params.taps * padded_pixels), tap * padded_pixels);
}

fn column_pack(column: Column, pixel: u32) -> vec4<f32> {
    return columns[column_index(column.of_pack, column.first + pixel)];
}
