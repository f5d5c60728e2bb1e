//! How the channels lie, and what a tiling needs.

use super::Backward;
use super::scatter::{Key, most_buckets};
use super::tiling::Tiling;
use crate::kernel::Sampling;
use crate::kernel::backward::{grad_weight, grad_weight_depthwise, pixel_blocks};
use crate::ops::deform_conv2d::Geometry;
use crate::ops::deform_conv2d::plan::depthwise;
use crate::ops::deform_conv2d::plan::packed_input::{self, PACK, long_row as texels};
use crate::plan::{F32_BYTES, Scratch, Size};

/// Workgroups that a product over pixels is split into where a device has many processors.
const WORKGROUPS_WANTED: u64 = 512;
/// The same where subgroups of 8 do it, on a CPU.
const SUBGROUPS_WANTED: u64 = 32;
/// Pixels that one sum of grad_weight adds up, one after the other: the more there are, the larger its rounding error.
const MAX_PIXELS_PER_SUM: u64 = 4096;
/// Row tiles of grad_weight up to which each samples its columns anew, on a CPU: for two or three, to write and read them takes as long.
const SAMPLED_ROW_TILES_CPU: u64 = 3;
/// The same elsewhere.
const SAMPLED_ROW_TILES: u64 = 1;
/// The most workgroups that share a sum of grad_weight_depthwise.
const MAX_SPLITS: u64 = 8;

/// How the channels lie: see the fused forward algorithm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Whether there are no products: then segments are offset groups, and so are what the weight groups are elsewhere.
    pub(super) depthwise: bool,
    pub(super) segment_channels: u64,
    /// Packs of a whole segment.
    pub(super) segment_packs: u64,
    pub(super) segments: u64,
    pub(super) segments_per_group: u64,
    pub(super) segments_per_offset_group: u64,
    /// Output channels of a weight group, and their packs.
    pub(super) rows: u64,
    pub(super) row_packs: u64,
}

/// What a tiling needs.
pub(super) struct Sizes {
    pub(super) scratch: Vec<Scratch>,
    pub(super) partial_bytes: u64,
    /// What the passes of the sort go by.
    pub(super) keys: Vec<Key>,
    /// Partitions of an offset group.
    pub(super) partitions: u64,
    pub(super) tile: &'static grad_weight::Variant,
    pub(super) splits: u64,
    /// Slices of the sums of grad_weight_depthwise: whole workgroups.
    pub(super) slices: u64,
}

/// The variants of grad_weight that differ in how a column is read.
struct GradWeightTiles {
    /// The columns are there.
    stored: &'static grad_weight::Variant,
    /// They are sampled once more.
    sampled: &'static grad_weight::Variant,
    /// The same on the regular grid.
    regular: &'static grad_weight::Variant,
}

impl Sizes {
    pub(super) fn scratch(&self, name: &'static str) -> Scratch {
        let found = self.scratch.iter().find(|scratch| scratch.name == name);
        debug_assert!(found.is_some(), "no tiling needs {name}");
        found.copied().unwrap_or(Scratch { name, size: Size::Bytes(0) })
    }

    /// Turns of the loop of grad_weight that so many pixels take.
    pub(super) fn turns(&self, pixels: u64) -> u64 {
        turns(self.tile, pixels)
    }

    pub(super) fn bytes(&self) -> u64 {
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
            segment_packs: segment_channels.div_ceil(PACK),
            segments: g.in_channels as u64 / segment_channels,
            segments_per_group: in_group / segment_channels,
            segments_per_offset_group: in_offset_group / segment_channels,
            rows,
            row_packs: rows.div_ceil(PACK),
        }
    }

    /// The most weight groups that so many segments in a row lie in.
    fn groups(&self, segments: u64) -> u64 {
        ((segments + self.segments_per_group - 2) / self.segments_per_group + 1)
            .min(self.segments / self.segments_per_group)
    }
}

impl Backward<'_> {
    fn packed_weight(&self, packs: u64) -> Size {
        texels(self.g.taps() as u64 * self.layout.row_packs * packs * PACK)
    }

    /// Whether the whole weight takes little of the workspace, and leaves what is needed at the least.
    pub(super) fn weight_is_small(&self) -> bool {
        let whole = Scratch { name: "packed_weight_columns", size: self.packed_weight(self.all_packs()) };
        let limit = self.options.workspace_limit;
        let least = self.sizes(Tiling::LEAST).bytes() + self.bias_bytes();
        whole.bytes() <= limit / 4 && whole.bytes() + least <= limit && self.limits.hold(&whole)
    }

    pub(super) fn sizes(&self, tiling: Tiling) -> Sizes {
        let g = self.g;
        let layout = &self.layout;
        let taps = g.taps() as u64;
        let blocks = tiling.pixels.min(g.out_pixels() as u64).div_ceil(pixel_blocks::BLOCK_PIXELS);
        let padded_pixels = blocks * pixel_blocks::BLOCK_PIXELS;
        let packs = tiling.segments * tiling.packs;
        let columns = Size::Bytes(taps * padded_pixels * packs * PACK * F32_BYTES);
        let pixels = tiling.pixels.min(g.out_pixels() as u64);
        let entries = taps * padded_pixels;
        let offset_groups = tiling.segments.div_ceil(layout.segments_per_offset_group);
        let (keys, partitions) = self.passes(entries, offset_groups);
        let mut scratch = Vec::new();
        let mut needs = |needed: bool, name, size| {
            if needed {
                scratch.push(Scratch { name, size });
            }
        };
        let none = Size::Bytes(PACK * F32_BYTES);
        let gradient = self.needs_columns_gradient();
        let weight = self.modes.weight.wanted();
        let products = !layout.depthwise;
        let out_packs = if products { layout.groups(tiling.segments) * layout.row_packs } else { packs };
        needs(gradient || weight, "packed_grad_output", texels(padded_pixels * out_packs));
        needs(
            gradient && products,
            "packed_weight_columns",
            self.packed_weight(if self.whole_weight { self.all_packs() } else { packs }),
        );
        needs(gradient && !products, "packed_weight", depthwise::packed_weight(g).size);
        needs(self.needs_samples(), "packed_input", packed_input::texture(g, packs).size);
        let reads_gradient = gradient || self.stores_columns();
        needs(products && reads_gradient, "grad_column", if gradient { columns } else { none });
        needs(self.stores_columns(), "columns", columns);
        needs(self.needs_taps(), "packed_taps", texels(offset_groups * entries));
        for key in &keys {
            needs(self.needs_order(), key.order, Size::Bytes(offset_groups * entries * F32_BYTES));
        }
        let counters = offset_groups * most_buckets(&keys) * partitions;
        needs(self.needs_order(), "entry_ends", Size::Bytes(counters * F32_BYTES));
        // Bound in the place of a gradient that is not wanted.
        needs(self.runs_grad_offset() && !self.modes.offset.wanted(), "no_grad_offset", Size::Bytes(F32_BYTES));
        needs(self.runs_grad_offset() && !self.modes.mask.wanted(), "no_grad_mask", Size::Bytes(F32_BYTES));

        let tile = self.grad_weight_tile();
        let group_packs = tiling.segments.min(layout.segments_per_group) * tiling.packs;
        let [row_tiles, column_tiles] = grad_weight_tiles(layout, tile, group_packs * taps);
        let tiles = layout.groups(tiling.segments) * row_tiles * column_tiles;
        let turns = turns(tile, padded_pixels);
        let wanted = if self.subgroups { SUBGROUPS_WANTED } else { WORKGROUPS_WANTED };
        let splits = wanted.div_ceil(tiles).min(turns.div_ceil(4));
        let splits = splits.max(padded_pixels.div_ceil(MAX_PIXELS_PER_SUM));
        let sums = PACK * PACK * tile.row_packs * tile.lanes;
        let slices = grad_weight_depthwise::KERNEL.workgroup_size
            * grad_weight_depthwise::KERNEL.workgroups(pixels).clamp(1, MAX_SPLITS);
        let partial_bytes = if !products {
            u64::from(weight) * packs * PACK * taps * slices * F32_BYTES
        } else if weight {
            splits * tiles * sums * F32_BYTES
        } else {
            0
        };
        Sizes { scratch, partial_bytes, keys, partitions, tile, splits, slices }
    }

    /// The variants of grad_weight, and the most row tiles that sample their columns.
    fn grad_weight_kernels(&self) -> (GradWeightTiles, u64) {
        let few = self.layout.row_packs <= grad_weight::SAMPLED_SUBGROUP_32.row_packs;
        let [stored, sampled, regular] = match (self.subgroups, few) {
            (true, true) => {
                [&grad_weight::STORED_SUBGROUP_64, &grad_weight::SAMPLED_SUBGROUP_32, &grad_weight::REGULAR_SUBGROUP_32]
            }
            (true, false) => {
                [&grad_weight::STORED_SUBGROUP_64, &grad_weight::SAMPLED_SUBGROUP_64, &grad_weight::REGULAR_SUBGROUP_64]
            }
            (false, _) => [&grad_weight::STORED, &grad_weight::SAMPLED, &grad_weight::REGULAR],
        };
        let most = if self.subgroups { SAMPLED_ROW_TILES_CPU } else { SAMPLED_ROW_TILES };
        (GradWeightTiles { stored, sampled, regular }, most)
    }

    /// How the gradient of the weight reads its columns, and in what tiles.
    fn grad_weight_tile(&self) -> &'static grad_weight::Variant {
        let (tiles, _) = self.grad_weight_kernels();
        match self.g.sampling {
            Sampling::Regular => tiles.regular,
            Sampling::Deformed if self.stores_columns() => tiles.stored,
            Sampling::Deformed => tiles.sampled,
        }
    }

    /// Whether the columns are written, for many tiles of output channels to read.
    pub(super) fn stores_columns(&self) -> bool {
        let (tiles, sampled) = self.grad_weight_kernels();
        let many = self.layout.row_packs.div_ceil(tiles.stored.row_packs) > sampled;
        let deformed = self.g.sampling == Sampling::Deformed;
        self.modes.weight.wanted() && !self.layout.depthwise && deformed && many
    }

    /// What lies between the numbers of two taps' columns: of a depthwise convolution a power of two, for they are taken apart again.
    pub(super) fn column_stride(&self, padded_pixels: u64) -> u64 {
        if self.layout.depthwise { padded_pixels.next_power_of_two() } else { padded_pixels }
    }
}

/// Tiles of grad_weight: of one weight group's output channels, and of so many packs of columns.
pub(super) fn grad_weight_tiles(layout: &Layout, tile: &grad_weight::Variant, column_packs: u64) -> [u64; 2] {
    [layout.row_packs.div_ceil(tile.row_packs), column_packs.div_ceil(tile.lanes)]
}

fn turns(tile: &grad_weight::Variant, pixels: u64) -> u64 {
    pixels / tile.pixels_per_turn
}
