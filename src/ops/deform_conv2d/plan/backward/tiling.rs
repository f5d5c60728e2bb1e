//! How much of the work is done at once.

use super::Backward;
use super::scatter::most_buckets;
use crate::kernel::backward::{grad_column, grad_input, pixel_blocks};
use crate::ops::deform_conv2d::plan::packed_input::{Chunk, PACK};
use crate::ops::deform_conv2d::plan::{split, unsuitable};
use crate::plan::MAX_LOOP_STEPS;
use crate::{Error, Result};

/// Packs that grad_column multiplies at once: chunks are whole numbers of it where they can be.
const PACKS_AT_ONCE: u64 = 8;
/// Up to here every whole number is an f32, in which entries carry one.
const MAX_COLUMN: u64 = 1 << 24;

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Output pixels of a window: whole blocks, but for an image's last.
    pub(super) pixels: u64,
    /// Segments of a chunk.
    pub(super) segments: u64,
    /// Packs of each: all where there are several segments.
    pub(super) packs: u64,
}

impl Tiling {
    pub(super) const LEAST: Self = Self { pixels: pixel_blocks::BLOCK_PIXELS, segments: 1, packs: 1 };
}

impl Backward<'_> {
    /// Whether the device can do so much at once, whatever memory it takes.
    fn possible(&self, tiling: Tiling) -> bool {
        let g = self.g;
        let layout = &self.layout;
        let taps = g.taps() as u64;
        let steps = MAX_LOOP_STEPS;
        let pixels = tiling.pixels.min(g.out_pixels() as u64);
        let padded_pixels = pixels.next_multiple_of(pixel_blocks::BLOCK_PIXELS);
        let sizes = self.sizes(tiling);
        let held = sizes.scratch.iter().all(|scratch| self.limits.hold(scratch));
        let window = self.limits.max_operand_elements(g.storage).min(self.limits.max_window_elements());
        let offset_groups = tiling.segments.div_ceil(layout.segments_per_offset_group);
        let channels = if tiling.segments > 1 {
            tiling.segments * layout.segment_channels
        } else {
            (tiling.packs * PACK).min(layout.segment_channels)
        };
        let entries = taps * padded_pixels;
        let per_partition = entries.div_ceil(sizes.partitions);
        let buckets = most_buckets(&sizes.keys);
        // A walk over a row's cells, each with a loop over its entries, of which padding pixels have none; then the loops of the sort.
        let cells = g.in_width as u64 + 2;
        let loops = !self.needs_order()
            || (taps * pixels).div_ceil(grad_input::ENTRIES_PER_TURN) + 3 * cells < steps
                && per_partition + 2 + buckets < steps;
        // A turn for every pack of output channels, then one for every pack to store.
        let turns = grad_column::PIXELS_PER_INVOCATION * grad_column::PACKS_PER_INVOCATION + 2;
        // col2im's over the taps.
        let loops = loops && (self.needs_order() || !self.modes.input.wanted() || taps + 1 < steps);
        let loops = loops && (!self.needs_columns_gradient() || layout.depthwise || layout.row_packs + turns < steps);
        let loops = loops && (!layout.depthwise || pixels.div_ceil(sizes.slices) + 1 < steps);
        held && loops
            && channels * g.in_pixels() as u64 <= window
            && offset_groups * (g.offset_elements() / g.offset_groups) as u64 <= window
            && taps * self.column_stride(padded_pixels) < MAX_COLUMN
            && sizes.partial_bytes <= self.limits.max_binding_bytes
    }

    /// The most that fits into the workspace: first as large a window as may be with what grad_column multiplies at once, then as many
    /// channels.
    pub(super) fn tiling(&self, workspace_bytes: u64) -> Result<Tiling> {
        let layout = &self.layout;
        let bytes = |tiling| {
            let sizes = self.sizes(tiling);
            sizes.bytes() - sizes.partial_bytes + sizes.partial_bytes.max(workspace_bytes)
        };
        let fits = |tiling| self.possible(tiling) && bytes(tiling) <= self.options.workspace_limit;
        let block = pixel_blocks::BLOCK_PIXELS;
        let all_pixels = (self.g.out_pixels() as u64).next_multiple_of(block);
        let least = Tiling::LEAST;
        if !self.possible(least) {
            let reason = "its image, taps or channels pass what one step of the backward pass can hold".to_owned();
            return Err(unsuitable(self.options.algorithm, reason));
        }
        if !fits(least) {
            return Err(Error::WorkspaceTooSmall { needed: bytes(least), got: self.options.workspace_limit });
        }
        // From small to large.
        let with_packs = |packs: u64| Tiling { packs: packs.min(layout.segment_packs), ..least };
        let packs = (1..=PACKS_AT_ONCE).rev().find(|&packs| fits(with_packs(packs))).unwrap_or(1);
        let base = with_packs(packs);
        // As many packs of short segments.
        let short = (PACKS_AT_ONCE / layout.segment_packs).min(layout.segments_per_offset_group).max(1);
        let with_short = |segments: u64| Tiling { segments, ..base };
        let base =
            if base.packs < layout.segment_packs { base } else { with_short(largest(short, |n| fits(with_short(n)))) };
        let pixels = largest(all_pixels / block, |blocks| fits(Tiling { pixels: blocks * block, ..base })) * block;
        // Parts of one size, unless these need more for some rounding up than the largest that fits.
        let fitting = |even: Tiling, largest: Tiling| if fits(even) { even } else { largest };
        let with_pixels = |pixels: u64| Tiling { pixels, ..base };
        let base = fitting(with_pixels(even(all_pixels / block, pixels / block) * block), with_pixels(pixels));
        let most = layout.segment_packs.div_ceil(PACKS_AT_ONCE);
        let with_blocks = |blocks: u64| Tiling { packs: (blocks * PACKS_AT_ONCE).min(layout.segment_packs), ..base };
        if !fits(with_blocks(1)) {
            return Ok(base);
        }
        let blocks = largest(most, |blocks| fits(with_blocks(blocks)));
        let base = fitting(with_blocks(even(most, blocks)), with_blocks(blocks));
        if base.packs < layout.segment_packs {
            return Ok(base);
        }
        // Segments of one offset group, or whole offset groups.
        let with_segments = |segments: u64| Tiling { segments, ..base };
        let per_group = layout.segments_per_offset_group;
        let within = largest(per_group, |segments| fits(with_segments(segments)));
        if within < per_group {
            return Ok(fitting(with_segments(even(per_group, within)), with_segments(within)));
        }
        let offset_groups = layout.segments / per_group;
        let groups = largest(offset_groups, |groups| fits(with_segments(groups * per_group)));
        Ok(fitting(with_segments(even(offset_groups, groups) * per_group), with_segments(groups * per_group)))
    }

    /// The chunks of a tiling, in order. None lies in two offset groups unless it holds both whole.
    pub(super) fn chunks(&self, tiling: Tiling) -> Vec<Chunk> {
        let layout = &self.layout;
        let per_group = layout.segments_per_offset_group.max(tiling.segments);
        split(0..layout.segments, per_group)
            .flat_map(|segments| {
                Chunk { segments, packs: 0..layout.segment_packs }.split(tiling.segments, tiling.packs)
            })
            .collect()
    }
}

/// The largest of 1 … `most` that fits, given that 1 does.
fn largest(most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut fitting, mut beyond) = (1, most + 1);
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting
}

/// `total` in as few parts of at most `most` as can be, and these as even as can be.
fn even(total: u64, most: u64) -> u64 {
    total.div_ceil(total.div_ceil(most))
}
