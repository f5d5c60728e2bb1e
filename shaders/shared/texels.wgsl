// A texture as one long row of texels: what has an index but no shape of its own is laid out so. TEXELS_PER_ROW is a power of two
// that every device's textures have room for.
/// Texels of a row.
const TEXELS_PER_ROW = 4096u;

fn texel_at(index: u32) -> vec2<u32> {
    return vec2<u32>(index % TEXELS_PER_ROW, index / TEXELS_PER_ROW);
}
