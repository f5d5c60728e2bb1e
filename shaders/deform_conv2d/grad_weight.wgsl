// The gradient of the weight, as partial sums: the gradient of the output times the columns, summed over pixels.
//
//     partial[split, tile, o, k, l] = Σ over the pixels p of the split of   grad_output[o, p] · columns[k, l, p]
//
// k numbers quads of input channels of all taps, l the channels of one. grad_weight_reduce.wgsl adds the partial sums in
// order. `main` is written by src/kernel/unroll/backward.rs.
//
// Reads   packed_grad_output, and by `column_quad` the columns (columns_read.wgsl), or the input in their place (columns_sampled.wgsl): a window
//         of one image's pixels; padding pixels hold 0.
// Writes  partial.
// Runs    An invocation owns ROW_QUADS·4 output channels by 4 columns, and the pixels of its split; a workgroup is LANES of them, neighbours
//         in columns. Grid: tiles of output channels fastest, then of columns, then weight groups, then splits, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. Lanes are columns and not pixels, though the sum is over these: eight of a pixel's column quads are neighbours in memory, one
// texel serves all output channels of the tile, and no lane's sums are another's. Where subgroups have 8 lanes, lane l loads output
// quad l of each 8, and r rotations bring it quad (l + r) mod 8. Elsewhere all lanes load the same quads.
// A column is sampled once for every tile of output channels. Where these are few, that is no more than to write it and read it again.

struct GradWeightParams {
    taps: u32,
    in_height: u32,
    quads: u32,
    segment_quads: u32,
    segment_start: u32,
    segment_end: u32,
    segments_per_group: u32,
    segments_per_offset_group: u32,
    group_start: u32,
    groups: u32,
    row_quads: u32,
    all_row_quads: u32,
    pixel_blocks: u32,
    turns_per_split: u32,
    column_tiles: u32,
    row_tiles: u32,
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: GradWeightParams;
/// [(block, group, quad of out channels, pixel of the block)], four out channels
@group(0) @binding(1) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [split, group, column tile, row tile, out channel, quad of columns], four columns
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;

const BLOCK_PIXELS = 32u;

/// The weight group's quad of columns `k`, taps slowest.
fn group_column(k: u32, first_quad: u32, group_quads: u32) -> Column {
    let inside = min(k, group_quads * params.taps - 1u);
    return column_at(inside / group_quads, first_quad + inside % group_quads);
}
