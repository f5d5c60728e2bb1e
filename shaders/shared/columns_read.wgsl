// How grad_weight.wgsl reads the columns that grad_offset.wgsl kept.

/// [(tap, pixel, quad)], four channels of the quad
@group(0) @binding(3) var columns: texture_storage_2d<rgba32float, read>;

/// A quad of columns: its texel at the window's first pixel.
struct Column {
    start: u32,
}

fn column_at(tap: u32, quad: u32) -> Column {
    return Column(tap * params.pixel_blocks * BLOCK_PIXELS * params.quads + quad);
}

fn column_quad(column: Column, pixel: u32) -> vec4<f32> {
    return textureLoad(columns, texel_at(column.start + pixel * params.quads));
}
