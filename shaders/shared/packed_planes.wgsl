// The planes of the packed input (pack_input.wgsl): one for each pack, which holds the pack's channels of all images of
// the part, one image below the other. The kernel that uses this file declares `params`, with the columns and the rows
// from the plane of a pack to that of the next.

/// Returns the first texel of a pack's plane.
fn plane_at(pack: u32) -> vec2<u32> {
    return pack * vec2<u32>(params.plane_columns, params.plane_rows);
}
