//! One chunk's dispatches: im2col into the workspace, matmul out of it, each cut where a window or a loop would grow too long.

use std::ops::Range;

use super::super::images::unread;
use super::super::{Len, push, split};
use super::{Chunk, Columns};
use crate::Result;
use crate::kernel::Sampling;
use crate::kernel::forward::{im2col, matmul};
use crate::plan::{MAX_LOOP_STEPS, Step, WORKSPACE};

impl Columns<'_> {
    /// Samples the chunk's channels; several steps where the input, offset or mask of all of them would pass a window.
    pub(super) fn im2col_steps(&self, chunk: &Chunk, steps: &mut Vec<Step>) -> Result<()> {
        let g = self.geometry;
        let taps = g.taps() as u64;
        let group = g.channels_per_offset_group() as u64;
        let out_pixels = g.out_pixels() as u64;
        let images = chunk.images.len();
        let channels_per_step = if images > 1 { chunk.channels.len() } else { self.window / g.in_pixels() as u64 };
        // A window over n pairs spans 2n − 1 whole planes of the offset and the chunk's pixels of the last.
        let planes = 1 + (self.window - chunk.pixels.len()) / out_pixels;
        let pairs_per_step = if images > 1 { u64::MAX } else { planes / 2 };
        for channels in split(chunk.channels.clone(), channels_per_step) {
            let pairs = channels.start / group * taps..((channels.end - 1) / group + 1) * taps;
            for pairs in split(pairs, pairs_per_step) {
                push(steps, self.im2col(chunk, channels.clone(), pairs)?)?;
            }
        }
        Ok(())
    }

    fn im2col(&self, chunk: &Chunk, channels: Range<u64>, pairs: Range<u64>) -> Result<Step> {
        let g = self.geometry;
        let in_pixels = g.in_pixels() as u64;
        let out_pixels = g.out_pixels() as u64;
        let taps = g.taps() as u64;
        let image = chunk.images.start;
        let more_images = chunk.images.len() - 1;
        let pixels = chunk.pixels.len();

        let input_image_stride = g.in_channels as u64 * in_pixels;
        let (input, input_base) = self.limits.operand_window(
            g.storage,
            "input",
            image * input_image_stride + channels.start * in_pixels,
            more_images * input_image_stride + channels.len() * in_pixels,
        );
        let mask_image_stride = g.offset_groups as u64 * taps * out_pixels;
        let offset_image_stride = 2 * mask_image_stride;
        let (offset, offset_base) = match g.sampling {
            Sampling::Deformed => self.limits.operand_window(
                g.storage,
                "offset",
                image * offset_image_stride + 2 * pairs.start * out_pixels + chunk.pixels.start,
                more_images * offset_image_stride + (2 * pairs.len() - 1) * out_pixels + pixels,
            ),
            Sampling::Regular => (unread(g, self.limits), 0),
        };
        let (mask, mask_base) = if g.has_mask {
            self.limits.operand_window(
                g.storage,
                "mask",
                image * mask_image_stride + pairs.start * out_pixels + chunk.pixels.start,
                more_images * mask_image_stride + (pairs.len() - 1) * out_pixels + pixels,
            )
        } else {
            // Something must be bound; the kernel does not read it.
            (offset, 0)
        };
        let (columns, _) = self.limits.window(WORKSPACE, 0, self.rows(chunk) * chunk.width());

        let pixel_blocks = chunk.width().div_ceil(im2col::KERNEL.workgroup_size);
        let group_channels = (g.channels_per_offset_group() as u64).min(channels.len());
        let channel_blocks = group_channels.div_ceil(im2col::CHANNELS_PER_INVOCATION);
        let params = im2col::Params {
            geometry: g.tap_geometry(),
            pixel_start: chunk.pixels.start,
            pixels,
            columns_width: chunk.width(),
            pixel_blocks,
            pair_start: pairs.start,
            pairs: pairs.len(),
            channels_per_offset_group: g.channels_per_offset_group() as u64,
            channel_start: channels.start,
            channel_end: channels.end,
            columns_channel_start: chunk.channels.start,
            input_image_stride: stride(chunk.images.len(), input_image_stride),
            offset_image_stride: stride(chunk.images.len(), offset_image_stride),
            mask_image_stride: stride(chunk.images.len(), mask_image_stride),
            input_base,
            offset_base,
            mask_base,
            has_mask: u64::from(g.has_mask),
        };
        self.limits.step(
            &im2col::KERNEL,
            g.specialization(),
            params,
            vec![input, offset, mask, columns],
            pixel_blocks * pairs.len() * channel_blocks,
        )
    }

    /// Multiplies the chunk's columns; several steps where weight or output would pass a window, or the sum a loop's bound.
    pub(super) fn matmul_steps(&self, chunk: &Chunk, steps: &mut Vec<Step>) -> Result<()> {
        let g = self.geometry;
        let taps = g.taps() as u64;
        let group_channels = g.channels_per_group() as u64;
        let group_rows = g.out_channels_per_group() as u64;
        let out_pixels = g.out_pixels() as u64;
        let groups = chunk.channels.start / group_channels..(chunk.channels.end - 1) / group_channels + 1;
        // The rows of one weight group in the column buffer, as a range of the group's own rows.
        let first = chunk.channels.start % group_channels * taps;
        let depth = first..first + self.rows(chunk) / groups.len();

        let out_rows = if chunk.images.len() > 1 {
            g.out_channels as u64
        } else {
            1 + (self.window - chunk.pixels.len()) / out_pixels
        };
        // One row always fits: where a whole row of the weight does not, the sum over it is cut below.
        let rows_per_step = out_rows.min(self.window / (group_channels * taps)).max(1);
        // Several groups share a step only where each is there with all its rows.
        let groups_per_step = (rows_per_step / group_rows).max(1);
        for step_depth in split(depth.clone(), max_matmul_depth().min(self.window)) {
            for step_groups in split(groups.clone(), groups_per_step) {
                for rows in split(0..group_rows, rows_per_step) {
                    let groups_before = step_groups.start - groups.start;
                    let columns_row = groups_before * depth.len() + step_depth.start - depth.start;
                    let (groups, depth_in_chunk) = (step_groups.clone(), depth.len());
                    push(steps, self.matmul(chunk, groups, rows, step_depth.clone(), columns_row, depth_in_chunk)?)?;
                }
            }
        }
        Ok(())
    }

    /// Rows `rows` of each of `groups`, summed over `depth` (rows of the group's weight, counted from its first). In the column
    /// buffer these start at row `columns_row`, and a group's begin `columns_rows_per_group` after the one before.
    fn matmul(
        &self,
        chunk: &Chunk,
        groups: Range<u64>,
        rows: Range<u64>,
        depth: Range<u64>,
        columns_row: u64,
        columns_rows_per_group: u64,
    ) -> Result<Step> {
        let g = self.geometry;
        let out_pixels = g.out_pixels() as u64;
        let width = chunk.width();
        let group_rows = g.out_channels_per_group() as u64;
        let weight_row_stride = (g.channels_per_group() * g.taps()) as u64;
        // From the first group's first row to the last group's last.
        let first_row = groups.start * group_rows + rows.start;
        let row_span = (groups.len() - 1) * group_rows + rows.len();

        let (weight, weight_base) = self.limits.operand_window(
            g.storage,
            "weight",
            first_row * weight_row_stride + depth.start,
            (row_span - 1) * weight_row_stride + depth.len(),
        );
        let (columns, columns_base) = self.limits.window(
            WORKSPACE,
            columns_row * width,
            ((groups.len() - 1) * columns_rows_per_group + depth.len()) * width,
        );
        let output_image_stride = g.out_channels as u64 * out_pixels;
        let (output, output_base) = self.limits.operand_window(
            g.storage,
            "output",
            chunk.images.start * output_image_stride + first_row * out_pixels + chunk.pixels.start,
            (chunk.images.len() - 1) * output_image_stride + (row_span - 1) * out_pixels + chunk.pixels.len(),
        );
        let (bias, bias_base) = if g.has_bias {
            self.limits.operand_window(g.storage, "bias", first_row, row_span)
        } else {
            // Something must be bound; the kernel does not read it.
            (weight, 0)
        };

        let row_tiles = rows.len().div_ceil(matmul::TILE_M);
        let column_tiles = width.div_ceil(matmul::TILE_N);
        let tiles = row_tiles * column_tiles * groups.len();
        assert!(matmul_loop_steps(depth.len()) <= MAX_LOOP_STEPS, "a loop that Mesa would cut short");
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
            columns_group_stride: stride(groups.len(), columns_rows_per_group * width),
            output_row_stride: out_pixels,
            output_group_stride: stride(groups.len(), group_rows * out_pixels),
            output_image_stride: stride(chunk.images.len(), output_image_stride),
            weight_base,
            columns_base,
            output_base,
            bias_base,
            bias_group_stride: group_rows,
            has_bias: u64::from(g.has_bias),
            // `depth` counts from the group's first row, so whatever does not start there comes after the step that does.
            accumulate: u64::from(depth.start > 0),
        };
        self.limits.step(&matmul::KERNEL, g.storage, params, vec![weight, columns, bias, output], tiles)
    }
}

/// The stride between `count` images, groups or rows. Of one alone it is never read, and may pass what a parameter holds.
fn stride(count: u64, stride: u64) -> u64 {
    if count > 1 { stride } else { 0 }
}

/// Loop steps of one invocation of matmul for `depth` column rows: a turn for each tile of rows, with a loop that loads and one that
/// multiplies. Each entry into a loop costs its trips plus one.
const fn matmul_loop_steps(depth: u64) -> u64 {
    let steps_per_tile = 1 + (matmul::LOADS_PER_INVOCATION + 1) + (matmul::TILE_K + 1);
    depth.div_ceil(matmul::TILE_K) * steps_per_tile + 1
}

/// Column rows that one matmul step may sum over.
pub(super) fn max_matmul_depth() -> u64 {
    let steps_per_tile = matmul_loop_steps(2 * matmul::TILE_K) - matmul_loop_steps(matmul::TILE_K);
    (MAX_LOOP_STEPS - 1) / steps_per_tile * matmul::TILE_K
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_of_16_rows_is_a_turn_with_a_loop_that_loads_and_one_that_multiplies() {
        assert_eq!(matmul_loop_steps(160), 10 * (1 + (16 + 1) + (16 + 1)) + 1);
    }
}
