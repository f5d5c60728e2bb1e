//! The gradient of the weight.

use super::{BLOCK_PIXELS, DEFORMED, WEIGHT_TAPS};
use crate::kernel::unroll::backward as unroll;
use crate::kernel::{
    Binding, COLUMNS_LAYOUT, GRID, Kernel, PACKED_SAMPLE, PACKED_TAPS, TEXELS, params, read, read_write, texture_read,
};

/// A variant of grad_weight: the kernel, and the size of its tiles, which are as many quads of columns wide as it has lanes.
#[derive(Debug, Clone, Copy)]
pub struct GradWeightTile {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Quads of output channels.
    pub row_quads: u32,
    /// Pixels that are added in one turn of the loop.
    pub pixels: u32,
}

impl GradWeightTile {
    /// Quads of columns.
    #[must_use]
    pub const fn column_quads(&self) -> u32 {
        self.kernel.workgroup_size
    }
}

/// The variants of grad_weight that differ in how a column is read.
#[derive(Debug, Clone, Copy)]
pub struct GradWeightTiles {
    /// The columns are there.
    pub stored: GradWeightTile,
    /// They are sampled once more.
    pub sampled: GradWeightTile,
    /// The same on the regular grid.
    pub regular: GradWeightTile,
}

/// The gradient of the weight, where subgroups have 8 lanes: 64 output channels by 32 columns.
pub const GRAD_WEIGHT_SUBGROUP_64: GradWeightTiles = GradWeightTiles {
    stored: subgroup_tile::<16>(&grad_weight_subgroup::<16>("deform_conv2d/grad_weight_subgroup_64", STORED)),
    sampled: subgroup_tile::<16>(&grad_weight_subgroup::<16>("deform_conv2d/grad_weight_sampled_subgroup_64", SAMPLED)),
    regular: subgroup_tile::<16>(&grad_weight_subgroup::<16>("deform_conv2d/grad_weight_regular_subgroup_64", REGULAR)),
};

/// The same for up to 32 output channels, which are too few to store columns for.
pub const GRAD_WEIGHT_SUBGROUP_32: GradWeightTiles = GradWeightTiles {
    sampled: subgroup_tile::<8>(&grad_weight_subgroup::<8>("deform_conv2d/grad_weight_sampled_subgroup_32", SAMPLED)),
    regular: subgroup_tile::<8>(&grad_weight_subgroup::<8>("deform_conv2d/grad_weight_regular_subgroup_32", REGULAR)),
    ..GRAD_WEIGHT_SUBGROUP_64
};

/// The gradient of the weight, anywhere: 16 output channels by 128 columns.
pub const GRAD_WEIGHT: GradWeightTiles = GradWeightTiles {
    stored: tile(&grad_weight("deform_conv2d/grad_weight", STORED)),
    sampled: tile(&grad_weight("deform_conv2d/grad_weight_sampled", SAMPLED)),
    regular: tile(&grad_weight("deform_conv2d/grad_weight_regular", REGULAR)),
};

const fn subgroup_tile<const ROW_QUADS: u32>(kernel: &'static Kernel) -> GradWeightTile {
    GradWeightTile { kernel, row_quads: ROW_QUADS, pixels: 4 }
}

const fn tile(kernel: &'static Kernel) -> GradWeightTile {
    GradWeightTile { kernel, row_quads: 4, pixels: 2 }
}

const GRAD_WEIGHT_TEXT: &str = include_str!("../../../../shaders/deform_conv2d/grad_weight.wgsl");
const COLUMNS_READ: &str = include_str!("../../../../shaders/shared/columns_read.wgsl");
const COLUMNS_SAMPLED: &str = include_str!("../../../../shaders/shared/columns_sampled.wgsl");

/// How a variant comes by its columns.
type Columns = (&'static [&'static str], &'static [Binding]);

const STORED: Columns = (
    &[GRAD_WEIGHT_TEXT, COLUMNS_READ, COLUMNS_LAYOUT, TEXELS, GRID],
    &[texture_read("packed_grad_output"), read_write("partial"), read("columns")],
);
const SAMPLED: Columns =
    (&[GRAD_WEIGHT_TEXT, COLUMNS_SAMPLED, PACKED_SAMPLE, DEFORMED, PACKED_TAPS, TEXELS, GRID], SAMPLED_BINDINGS);
const REGULAR: Columns = (
    &[GRAD_WEIGHT_TEXT, COLUMNS_SAMPLED, PACKED_SAMPLE, "const DEFORMED = false;\n", PACKED_TAPS, TEXELS, GRID],
    SAMPLED_BINDINGS,
);
const SAMPLED_BINDINGS: &[Binding] = &[
    texture_read("packed_grad_output"),
    read_write("partial"),
    texture_read("packed_input"),
    texture_read("packed_taps"),
];

const fn grad_weight_subgroup<const ROW_QUADS: u32>(name: &'static str, columns: Columns) -> Kernel {
    Kernel {
        name,
        sources: columns.0,
        unrolled: Some(unroll::grad_weight::<ROW_QUADS, 8, 4>),
        subgroups: true,
        bindings: columns.1,
        workgroup_size: 8,
        params: GradWeightParams::FIELDS,
        constants: &[("BLOCK_PIXELS", BLOCK_PIXELS), ("PIXELS_PER_TURN", 4), ("ROW_QUADS", ROW_QUADS), ("LANES", 8)],
    }
}

const fn grad_weight(name: &'static str, columns: Columns) -> Kernel {
    Kernel {
        name,
        sources: columns.0,
        unrolled: Some(unroll::grad_weight::<4, 32, 2>),
        subgroups: false,
        bindings: columns.1,
        workgroup_size: 32,
        params: GradWeightParams::FIELDS,
        constants: &[("BLOCK_PIXELS", BLOCK_PIXELS), ("PIXELS_PER_TURN", 2), ("ROW_QUADS", 4), ("LANES", 32)],
    }
}

/// Adds the partial sums of the gradient of the weight.
pub const GRAD_WEIGHT_REDUCE: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_reduce",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_weight_reduce.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("partial"), read_write("grad_weight")],
    workgroup_size: 64,
    params: GradWeightReduceParams::FIELDS,
    constants: &[("TAPS_PER_INVOCATION", WEIGHT_TAPS)],
};

params! {
    /// The uniform of the variants of grad_weight.
    GradWeightParams {
        /// Taps in all.
        taps,
        /// Rows of the input.
        in_height,
        /// Quads of this step's channels.
        quads,
        /// Quads of each segment in this step.
        segment_quads,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of a weight group.
        segments_per_group,
        /// Segments of an offset group.
        segments_per_offset_group,
        /// First group of this step.
        group_start,
        /// Groups of this step.
        groups,
        /// Quads of the output channels of a weight group.
        row_quads,
        /// The same of all weight groups of this step.
        all_row_quads,
        /// Blocks of pixels.
        pixel_blocks,
        /// Turns of the loop of one split.
        turns_per_split,
        /// Tiles of columns.
        column_tiles,
        /// Tiles of output channels.
        row_tiles,
        /// Workgroups with something to do.
        workgroups,
    }
}

params! {
    /// The uniform of grad_weight_reduce.
    GradWeightReduceParams {
        /// Taps in all.
        taps,
        /// Channels of a segment.
        segment_channels,
        /// Quads of each segment in this step.
        segment_quads,
        /// First quad of each segment in this step.
        quad_start,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of a weight group.
        segments_per_group,
        /// First group of this step.
        group_start,
        /// Groups of this step.
        groups,
        /// Output channels of a weight group.
        rows,
        /// Quads of output channels of a tile.
        row_quads_per_tile,
        /// Quads of columns of a tile.
        column_quads_per_tile,
        /// Tiles of columns.
        column_tiles,
        /// Tiles of output channels.
        row_tiles,
        /// Splits of the sum.
        splits,
    }
}
