//! The second half of a chunk: it multiplies the weight by the column buffer.

use std::ops::Range;

use super::chunk::Chunk;
use crate::error::Result;
use crate::kernel::forward::matmul;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::windows::stride;
use crate::plan::{DeviceLimits, Len, MAX_LOOP_STEPS, Plan, Step, WORKSPACE, split};

/// Returns the loop steps of one invocation for `depth` column rows, as [`MAX_LOOP_STEPS`] counts them. The outer loop
/// has an iteration for each tile of rows, with a loop that multiplies.
const fn loop_steps(depth: u64) -> u64 {
    let steps_per_tile = 1 + (matmul::TILE_K + 1);
    depth.div_ceil(matmul::TILE_K) * steps_per_tile + 1
}

/// Returns the largest number of column rows that one step may sum over.
pub(super) fn max_depth() -> u64 {
    let steps_per_tile = loop_steps(2 * matmul::TILE_K) - loop_steps(matmul::TILE_K);
    (MAX_LOOP_STEPS - 1) / steps_per_tile * matmul::TILE_K
}

/// A product: `rows` of each of `groups`, summed over `depth`. Rows and depth are counted in their group.
struct Product {
    groups: Range<u64>,
    rows: Range<u64>,
    depth: Range<u64>,
}

/// Plans the product of the chunk's columns. There are several steps if a window cannot hold the weight or the output,
/// or if the sum is too long for a loop.
pub(super) fn steps(g: &Geometry, limits: &DeviceLimits, chunk: &Chunk, plan: &mut Plan) -> Result<()> {
    let window = limits.max_window_elements();
    let group_channels = g.channels_per_group() as u64;
    let group_depth = group_channels * g.taps() as u64;
    let group_rows = g.out_channels_per_group() as u64;
    let all = whole(g, chunk);

    let out_rows = if chunk.images.len() > 1 {
        g.out_channels as u64
    } else {
        1 + (window - chunk.pixels.len()) / g.out_pixels() as u64
    };
    // One row is always possible: if a window cannot hold a row of the weight, the sum over it is cut below.
    let rows_per_step = out_rows.min(window / group_depth).max(1);
    // Several groups share a step only with all their rows.
    let groups_per_step = (rows_per_step / group_rows).max(1);
    for depth in split(all.depth.clone(), max_depth().min(window)) {
        for groups in split(all.groups.clone(), groups_per_step) {
            for rows in split(all.rows.clone(), rows_per_step) {
                let product = Product { groups: groups.clone(), rows, depth: depth.clone() };
                plan.push(step(g, limits, chunk, &all, &product)?)?;
            }
        }
    }
    Ok(())
}

/// Returns the product of the whole chunk.
fn whole(g: &Geometry, chunk: &Chunk) -> Product {
    let taps = g.taps() as u64;
    let group_channels = g.channels_per_group() as u64;
    let groups = chunk.channels.start / group_channels..(chunk.channels.end - 1) / group_channels + 1;
    let first = chunk.channels.start % group_channels * taps;
    let depth = first..first + chunk.channels.len() * taps / groups.len();
    Product { groups, rows: 0..g.out_channels_per_group() as u64, depth }
}

/// Plans the step for a part of the chunk's product `all`.
fn step(g: &Geometry, limits: &DeviceLimits, chunk: &Chunk, all: &Product, part: &Product) -> Result<Step> {
    let Product { groups, rows, depth } = part;
    let out_pixels = g.out_pixels() as u64;
    let width = chunk.width();
    let images = chunk.images.len();
    let group_rows = all.rows.len();
    let weight_row_stride = (g.channels_per_group() * g.taps()) as u64;
    // The window reaches from the first row of the first group to the last row of the last.
    let first_row = groups.start * group_rows + rows.start;
    let row_span = (groups.len() - 1) * group_rows + rows.len();

    let (weight, weight_base) = limits.operand_window(
        g.storage,
        "weight",
        first_row * weight_row_stride + depth.start,
        (row_span - 1) * weight_row_stride + depth.len(),
    );
    // The column buffer has the rows of the whole chunk, group by group.
    let columns_row = (groups.start - all.groups.start) * all.depth.len() + depth.start - all.depth.start;
    let (columns, columns_base) =
        limits.window(WORKSPACE, columns_row * width, ((groups.len() - 1) * all.depth.len() + depth.len()) * width);
    let output_image_stride = g.out_channels as u64 * out_pixels;
    let (output, output_base) = limits.operand_window(
        g.storage,
        "output",
        chunk.images.start * output_image_stride + first_row * out_pixels + chunk.pixels.start,
        (images - 1) * output_image_stride + (row_span - 1) * out_pixels + chunk.pixels.len(),
    );
    let (bias, bias_base) = if g.has_bias {
        limits.operand_window(g.storage, "bias", first_row, row_span)
    } else {
        // Without a bias the binding is never read.
        (weight, 0)
    };

    let row_tiles = rows.len().div_ceil(matmul::TILE_M);
    let column_tiles = width.div_ceil(matmul::TILE_N);
    let tiles = row_tiles * column_tiles * groups.len();
    assert!(loop_steps(depth.len()) <= MAX_LOOP_STEPS, "a loop that Mesa would cut short");
    let params = matmul::Params {
        rows: rows.len(),
        columns_width: width,
        depth: depth.len(),
        row_tiles,
        column_tiles,
        tiles,
        pixels: chunk.pixels.len(),
        weight_row_stride: stride(rows.len(), weight_row_stride),
        weight_group_stride: stride(groups.len(), group_rows * weight_row_stride),
        columns_group_stride: stride(groups.len(), all.depth.len() * width),
        output_row_stride: out_pixels,
        output_group_stride: stride(groups.len(), group_rows * out_pixels),
        output_image_stride: stride(images, output_image_stride),
        weight_base,
        columns_base,
        output_base,
        bias_base,
        bias_group_stride: group_rows,
        has_bias: g.has_bias.into(),
        // A part that does not start at the group's first row comes after the part that does.
        accumulate: (depth.start > 0).into(),
    };
    limits.step(&matmul::KERNEL, g.specialization(), params, vec![weight, columns, bias, output], tiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_of_16_rows_is_a_turn_with_a_loop_that_multiplies() {
        assert_eq!(loop_steps(160), 10 * (1 + (16 + 1)) + 1);
    }
}
