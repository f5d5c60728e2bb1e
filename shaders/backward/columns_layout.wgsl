// Where columns and their gradients lie in a buffer of packs: in blocks of 8 packs of channels; in a block tap by tap and pixel by pixel, the
// packs of a pixel side by side.
//
//     index(pack, column) = first·columns + column·width + pack − first        column = tap·padded_pixels + pixel, of so many columns
//                           first = pack / 8 · 8,   width = min(8, packs − first)
//
// A buffer, since a CPU driver writes four numbers there in a fifth of the time that a texel takes it. The lanes of a vector are neighbouring
// pixels, or neighbouring packs: either way what they touch lies in few cache lines and pages. With all packs of a pixel side by side it takes a
// CPU half as long again to write them.

/// Packs of a block.
const PACKS_PER_BLOCK = 8u;

/// Where the columns of a pack lie.
struct PackColumns {
    /// The index of the first.
    start: u32,
    /// How far it is from one to the next.
    stride: u32,
}

fn columns_of(pack: u32, packs: u32, columns: u32) -> PackColumns {
    let first = pack - pack % PACKS_PER_BLOCK;
    return PackColumns(first * columns + pack - first, min(PACKS_PER_BLOCK, packs - first));
}

fn column_index(of_pack: PackColumns, column: u32) -> u32 {
    return of_pack.start + column * of_pack.stride;
}
