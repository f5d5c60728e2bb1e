// Where columns and their gradients lie in a buffer of quads: in blocks of 8 quads of channels; in a block tap by tap and pixel by pixel, the
// quads of a pixel side by side.
//
//     index(quad, column) = first·columns + column·width + quad − first        column = tap·padded_pixels + pixel, of so many columns
//                           first = quad / 8 · 8,   width = min(8, quads − first)
//
// A buffer, since a CPU driver writes four numbers there in a fifth of the time that a texel takes it. The lanes of a vector are neighbouring
// pixels, or neighbouring quads: either way what they touch lies in few cache lines and pages. With all quads of a pixel side by side it takes a
// CPU half as long again to write them.

/// Quads of a block.
const QUADS_PER_BLOCK = 8u;

/// Where the columns of a quad lie.
struct QuadColumns {
    /// The index of the first.
    start: u32,
    /// How far it is from one to the next.
    stride: u32,
}

fn quad_columns(quad: u32, quads: u32, columns: u32) -> QuadColumns {
    let first = quad - quad % QUADS_PER_BLOCK;
    return QuadColumns(first * columns + quad - first, min(QUADS_PER_BLOCK, quads - first));
}

fn column_index(of_quad: QuadColumns, column: u32) -> u32 {
    return of_quad.start + column * of_quad.stride;
}
