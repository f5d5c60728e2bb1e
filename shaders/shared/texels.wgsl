// A texture as one long row of texels, for data that has an index and no shape of its own. TEXELS_PER_ROW is a power of
// two, and WebGPU's default limits allow textures of that width.

/// Texels of a row.
const TEXELS_PER_ROW = 4096u;

fn texel_at(index: u32) -> vec2<u32> {
    return vec2<u32>(index % TEXELS_PER_ROW, index / TEXELS_PER_ROW);
}
