// Samples the columns. columns_read.wgsl has the same functions where grad_offset.wgsl stored them.

//@ uses shared/packed_sample shared/packed_planes shared/texels

/// [x + 1, (segment, pack, image, y + 1)], four channels of the pack, or with packs along x
@group(0) @binding(3) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(4) var packed_taps: texture_storage_2d<rgba32float, read>;

/// One tap of a pack of columns.
struct Column {
    /// Index of the packed tap at the part's first pixel.
    start: u32,
    /// First texel of the pack's plane in the packed input.
    plane: vec2<u32>,
}

fn column_at(tap: u32, pack: u32) -> Column {
    let offset_group = (params.segment_start + pack / params.segment_packs) / params.segments_per_offset_group
        - params.segment_start / params.segments_per_offset_group;
    let start = (offset_group * params.taps + tap) * params.pixel_blocks * BLOCK_PIXELS;
    return Column(start, plane_at(pack));
}

fn column_pack(column: Column, pixel: u32) -> vec4<f32> {
    return packed_sample(textureLoad(packed_taps, texel_at(column.start + pixel)), column.plane);
}
