//! How much of the work is done at once, and what it needs.

use super::Backward;
use crate::kernel::deform_conv2d::{
    BLOCK_PIXELS, ENTRIES_PER_TURN, GRAD_COLUMN_PIXELS, GRAD_COLUMN_QUADS, GRAD_WEIGHT, GRAD_WEIGHT_DEPTHWISE,
    GRAD_WEIGHT_SUBGROUP, GradWeightTile,
};
use crate::kernel::{Kernel, Sampling};
use crate::ops::deform_conv2d::Geometry;
use crate::ops::deform_conv2d::plan::packed_input::{self, Chunk, QUAD, long_row as texels};
use crate::ops::deform_conv2d::plan::{depthwise, split, unsuitable};
use crate::plan::{F32_BYTES, MAX_LOOP_STEPS, Scratch, Size};
use crate::{Error, Result};

/// Quads that grad_column multiplies at once: chunks are whole numbers of it where they can be.
const QUADS_AT_ONCE: u64 = 8;
/// Up to here every whole number is an f32, in which entries carry one.
const MAX_COLUMN: u64 = 1 << 24;
/// Workgroups that a product over pixels is split into where a device has many processors.
const WORKGROUPS_WANTED: u64 = 512;
/// The same where subgroups of 8 do it, on a CPU.
const SUBGROUPS_WANTED: u64 = 32;
/// Pixels that one sum of grad_weight adds up, one after the other: the more there are, the larger its rounding error.
const MAX_PIXELS_PER_SUM: u64 = 4096;
/// The most workgroups that share a sum of grad_weight_depthwise.
const MAX_SPLITS: u64 = 8;

/// How the channels lie: see the fused forward algorithm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Whether there are no products: then segments are offset groups, and so are what the weight groups are elsewhere.
    pub(super) depthwise: bool,
    pub(super) segment_channels: u64,
    /// Quads of a whole segment.
    pub(super) segment_quads: u64,
    pub(super) segments: u64,
    pub(super) segments_per_group: u64,
    pub(super) segments_per_offset_group: u64,
    /// Output channels of a weight group, and their quads.
    pub(super) rows: u64,
    pub(super) row_quads: u64,
}

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Output pixels of a window: whole blocks, but for an image's last.
    pub(super) pixels: u64,
    /// Segments of a chunk.
    pub(super) segments: u64,
    /// Quads of each: all where there are several segments.
    pub(super) quads: u64,
}

impl Tiling {
    pub(super) const LEAST: Self = Self { pixels: BLOCK_PIXELS as u64, segments: 1, quads: 1 };
}

/// What a tiling needs.
pub(super) struct Sizes {
    pub(super) scratch: Vec<Scratch>,
    pub(super) partial_bytes: u64,
    /// Walkers of an offset group.
    pub(super) walkers: u64,
    pub(super) tile: GradWeightTile,
    pub(super) splits: u64,
    /// Slices of the sums of grad_weight_depthwise: whole workgroups.
    pub(super) slices: u64,
}

impl Sizes {
    pub(super) fn scratch(&self, name: &'static str) -> Scratch {
        let mut found = self.scratch.iter().filter(|scratch| scratch.name == name);
        // A texture or buffer that nothing reads, since what is in it is not wanted.
        found.next().copied().unwrap_or(Scratch { name, size: Size::Texels([1, 1]) })
    }

    /// Turns of the loop of grad_weight that so many pixels take.
    pub(super) fn turns(&self, pixels: u64) -> u64 {
        turns(&self.tile, pixels)
    }

    fn bytes(&self) -> u64 {
        self.partial_bytes + self.scratch.iter().map(Scratch::bytes).sum::<u64>()
    }
}

impl Layout {
    pub(super) fn new(g: &Geometry, depthwise: bool) -> Self {
        let in_offset_group = g.channels_per_offset_group() as u64;
        let segment_channels = if depthwise { in_offset_group } else { g.segment_channels() as u64 };
        let (in_group, rows) = if depthwise {
            (in_offset_group, in_offset_group)
        } else {
            (g.channels_per_group() as u64, g.out_channels_per_group() as u64)
        };
        Self {
            depthwise,
            segment_channels,
            segment_quads: segment_channels.div_ceil(QUAD),
            segments: g.in_channels as u64 / segment_channels,
            segments_per_group: in_group / segment_channels,
            segments_per_offset_group: in_offset_group / segment_channels,
            rows,
            row_quads: rows.div_ceil(QUAD),
        }
    }

    /// The most weight groups that so many segments in a row lie in.
    fn groups(&self, segments: u64) -> u64 {
        ((segments + self.segments_per_group - 2) / self.segments_per_group + 1)
            .min(self.segments / self.segments_per_group)
    }
}

impl Backward<'_> {
    /// Whether taps are put in order: where the input's gradient is wanted, and they lie anywhere.
    fn needs_order(&self) -> bool {
        self.modes.input.wanted() && self.g.sampling == Sampling::Deformed
    }

    /// Bins of each pass of the sort: columns of cells; rows of cells, and what touches no pixel.
    pub(super) fn bins(&self) -> [u64; 2] {
        [self.g.in_width as u64 + 1, self.g.in_height as u64 + 2]
    }

    /// Walkers of an offset group: as many as run at once, and as its counters allow.
    fn walkers(&self, entries: u64) -> u64 {
        let [columns, rows] = self.bins();
        let counters = u64::from(MAX_LOOP_STEPS) / 3 * 256;
        let at_once = if self.subgroups { 256 } else { 1024 };
        at_once.min(entries).min(counters / columns.max(rows)).max(1)
    }

    fn packed_weight(&self, quads: u64) -> Size {
        texels(self.g.taps() as u64 * self.layout.row_quads * quads * QUAD)
    }

    /// Whether the whole weight takes little of the workspace, and leaves what is needed at the least.
    pub(super) fn weight_is_small(&self) -> bool {
        let whole = Scratch { name: "packed_weight_columns", size: self.packed_weight(self.all_quads()) };
        let limit = self.options.workspace_limit;
        let least = self.sizes(Tiling::LEAST).bytes() + self.bias_bytes();
        whole.bytes() <= limit / 4 && whole.bytes() + least <= limit && self.limits.hold(&whole)
    }

    pub(super) fn sizes(&self, tiling: Tiling) -> Sizes {
        let g = self.g;
        let layout = &self.layout;
        let taps = g.taps() as u64;
        let blocks = tiling.pixels.min(g.out_pixels() as u64).div_ceil(u64::from(BLOCK_PIXELS));
        let padded_pixels = blocks * u64::from(BLOCK_PIXELS);
        let quads = tiling.segments * tiling.quads;
        let columns = texels(taps * padded_pixels * quads);
        let pixels = tiling.pixels.min(g.out_pixels() as u64);
        let entries = taps * pixels;
        let walkers = self.walkers(entries);
        let offset_groups = tiling.segments.div_ceil(layout.segments_per_offset_group);
        let [bins_x, bins_y] = self.bins();
        let mut scratch = Vec::new();
        let mut needs = |needed: bool, name, size| {
            if needed {
                scratch.push(Scratch { name, size });
            }
        };
        let none = Size::Texels([1, 1]);
        let gradient = self.needs_columns_gradient();
        let weight = self.modes.weight.wanted();
        let products = !layout.depthwise;
        let out_quads = if products { layout.groups(tiling.segments) * layout.row_quads } else { quads };
        needs(gradient || weight, "packed_grad_output", texels(padded_pixels * out_quads));
        needs(
            gradient && products,
            "packed_weight_columns",
            self.packed_weight(if self.whole_weight { self.all_quads() } else { quads }),
        );
        needs(gradient && !products, "packed_weight", depthwise::packed_weight(g).size);
        needs(self.needs_samples(), "packed_input", packed_input::texture(g, quads).size);
        needs(products && (gradient || weight), "grad_column", if gradient { columns } else { none });
        needs(self.needs_samples(), "columns", if weight && products { columns } else { none });
        for name in ["entries_by_column", "entries_by_cell"] {
            needs(self.needs_order(), name, texels(offset_groups * entries));
        }
        let counters = offset_groups * bins_x.max(bins_y) * walkers;
        needs(self.needs_order(), "entry_ends", Size::Bytes(counters * F32_BYTES));
        // Bound in the place of a gradient that is not wanted.
        needs(self.needs_samples() && !self.modes.offset.wanted(), "no_grad_offset", Size::Bytes(F32_BYTES));
        needs(self.needs_samples() && !self.modes.mask.wanted(), "no_grad_mask", Size::Bytes(F32_BYTES));

        let tile = if self.subgroups { GRAD_WEIGHT_SUBGROUP } else { GRAD_WEIGHT };
        let group_quads = tiling.segments.min(layout.segments_per_group) * tiling.quads;
        let [row_tiles, column_tiles] = grad_weight_tiles(layout, &tile, group_quads * taps);
        let tiles = layout.groups(tiling.segments) * row_tiles * column_tiles;
        let turns = turns(&tile, padded_pixels);
        let wanted = if self.subgroups { SUBGROUPS_WANTED } else { WORKGROUPS_WANTED };
        let splits = wanted.div_ceil(tiles).min(turns.div_ceil(4));
        let splits = splits.max(padded_pixels.div_ceil(MAX_PIXELS_PER_SUM));
        let sums = QUAD * QUAD * u64::from(tile.row_quads * tile.column_quads());
        let slices = u64::from(GRAD_WEIGHT_DEPTHWISE.workgroup_size)
            * pixels.div_ceil(u64::from(GRAD_WEIGHT_DEPTHWISE.workgroup_size)).clamp(1, MAX_SPLITS);
        let partial_bytes = if !products {
            u64::from(weight) * quads * QUAD * taps * slices * F32_BYTES
        } else if weight {
            splits * tiles * sums * F32_BYTES
        } else {
            0
        };
        Sizes { scratch, partial_bytes, walkers, tile, splits, slices }
    }

    /// What lies between the numbers of two taps' columns: of a depth-wise convolution a power of two, for they are taken apart again.
    pub(super) fn column_stride(&self, padded_pixels: u64) -> u64 {
        if self.layout.depthwise { padded_pixels.next_power_of_two() } else { padded_pixels }
    }

    /// Whether the device can do so much at once, whatever memory it takes.
    fn possible(&self, tiling: Tiling) -> bool {
        let g = self.g;
        let layout = &self.layout;
        let taps = g.taps() as u64;
        let steps = u64::from(MAX_LOOP_STEPS);
        let pixels = tiling.pixels.min(g.out_pixels() as u64);
        let padded_pixels = pixels.next_multiple_of(u64::from(BLOCK_PIXELS));
        let sizes = self.sizes(tiling);
        let textures = sizes.scratch.iter().all(|scratch| self.limits.hold(scratch));
        let window = self.limits.max_operand_elements(g.storage).min(self.limits.max_window_elements());
        let offset_groups = tiling.segments.div_ceil(layout.segments_per_offset_group);
        let channels = if tiling.segments > 1 {
            tiling.segments * layout.segment_channels
        } else {
            (tiling.quads * QUAD).min(layout.segment_channels)
        };
        let entries = taps * pixels;
        let per_walker = entries.div_ceil(sizes.walkers);
        // A walk over a row's cells, each with a loop over its entries; then the loops of the sort.
        let cells = g.in_width as u64 + 2;
        let loops = !self.needs_order()
            || entries.div_ceil(u64::from(ENTRIES_PER_TURN)) + 3 * cells < steps
                && per_walker + 2 + self.bins().into_iter().max().unwrap_or(0) < steps;
        // A turn for every quad of output channels, then one for every texel to store.
        let turns = u64::from(GRAD_COLUMN_PIXELS * GRAD_COLUMN_QUADS) + 2;
        // col2im's over the taps.
        let loops = loops && (self.needs_order() || !self.modes.input.wanted() || taps + 1 < steps);
        let loops = loops && (!self.needs_columns_gradient() || layout.depthwise || layout.row_quads + turns < steps);
        let loops = loops && (!layout.depthwise || pixels.div_ceil(sizes.slices) + 1 < steps);
        textures
            && loops
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
        let block = u64::from(BLOCK_PIXELS);
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
        let with_quads = |quads: u64| Tiling { quads: quads.min(layout.segment_quads), ..least };
        let quads = (1..=QUADS_AT_ONCE).rev().find(|&quads| fits(with_quads(quads))).unwrap_or(1);
        let base = with_quads(quads);
        // As many quads of short segments.
        let short = (QUADS_AT_ONCE / layout.segment_quads).min(layout.segments_per_offset_group).max(1);
        let with_short = |segments: u64| Tiling { segments, ..base };
        let base =
            if base.quads < layout.segment_quads { base } else { with_short(largest(short, |n| fits(with_short(n)))) };
        let pixels = largest(all_pixels / block, |blocks| fits(Tiling { pixels: blocks * block, ..base })) * block;
        // Parts of one size, unless these need more for some rounding up than the largest that fits.
        let fitting = |even: Tiling, largest: Tiling| if fits(even) { even } else { largest };
        let with_pixels = |pixels: u64| Tiling { pixels, ..base };
        let base = fitting(with_pixels(even(all_pixels / block, pixels / block) * block), with_pixels(pixels));
        let most = layout.segment_quads.div_ceil(QUADS_AT_ONCE);
        let with_blocks = |blocks: u64| Tiling { quads: (blocks * QUADS_AT_ONCE).min(layout.segment_quads), ..base };
        if !fits(with_blocks(1)) {
            return Ok(base);
        }
        let blocks = largest(most, |blocks| fits(with_blocks(blocks)));
        let base = fitting(with_blocks(even(most, blocks)), with_blocks(blocks));
        if base.quads < layout.segment_quads {
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
                Chunk { segments, quads: 0..layout.segment_quads }.split(tiling.segments, tiling.quads)
            })
            .collect()
    }
}

/// Tiles of grad_weight: of one weight group's output channels, and of so many quads of columns.
pub(super) fn grad_weight_tiles(layout: &Layout, tile: &GradWeightTile, column_quads: u64) -> [u64; 2] {
    [layout.row_quads.div_ceil(u64::from(tile.row_quads)), column_quads.div_ceil(u64::from(tile.column_quads()))]
}

fn turns(tile: &GradWeightTile, pixels: u64) -> u64 {
    pixels / u64::from(tile.pixels)
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

/// Workgroups for so many invocations.
pub(super) fn workgroups(kernel: &Kernel, invocations: u64) -> u64 {
    invocations.div_ceil(u64::from(kernel.workgroup_size))
}
