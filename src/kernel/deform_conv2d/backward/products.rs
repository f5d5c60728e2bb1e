//! The products of the backward pass, and the packing they need.

use crate::kernel::unroll::backward as unroll;
use crate::kernel::{GRID, Kernel, SLOPE, TEXELS, operand, params, read, read_write, texture_read, texture_write};

/// Pixels that the textures of the backward pass keep together; a window of pixels is filled up to whole blocks.
pub const BLOCK_PIXELS: u32 = 32;
/// Pixels of one invocation of grad_column.
pub const GRAD_COLUMN_PIXELS: u32 = 4;
/// Quads of channels of one invocation of grad_column.
pub const GRAD_COLUMN_QUADS: u32 = 8;

/// Packs the gradient of the output into a texture, four channels a texel.
pub const PACK_GRAD_OUTPUT: Kernel = Kernel {
    name: "deform_conv2d/pack_grad_output",
    sources: &[include_str!("../../../../shaders/deform_conv2d/pack_grad_output.wgsl"), SLOPE, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("grad_output"), operand("output"), texture_write("packed_grad_output")],
    workgroup_size: 64,
    params: PackGradOutputParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS)],
};

/// Packs the weight into a texture, four output channels a texel.
pub const PACK_WEIGHT_COLUMNS: Kernel = Kernel {
    name: "deform_conv2d/pack_weight_columns",
    sources: &[include_str!("../../../../shaders/deform_conv2d/pack_weight_columns.wgsl"), TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("weight"), texture_write("packed_weight_columns")],
    workgroup_size: 64,
    params: PackWeightColumnsParams::FIELDS,
    constants: &[],
};

/// The gradient of the columns, where subgroups have 8 lanes.
pub const GRAD_COLUMN_SUBGROUP: Kernel = Kernel {
    name: "deform_conv2d/grad_column_subgroup",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_column.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_column::<8>),
    subgroups: true,
    bindings: &[
        texture_read("packed_grad_output"),
        texture_read("packed_weight_columns"),
        texture_write("grad_column"),
    ],
    workgroup_size: 8,
    params: GradColumnParams::FIELDS,
    constants: &[
        ("BLOCK_PIXELS", BLOCK_PIXELS),
        ("PIXELS_PER_INVOCATION", GRAD_COLUMN_PIXELS),
        ("QUADS_PER_INVOCATION", GRAD_COLUMN_QUADS),
        ("LANES", 8),
    ],
};

/// The gradient of the columns, anywhere.
pub const GRAD_COLUMN: Kernel = Kernel {
    name: "deform_conv2d/grad_column",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_column.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_column::<32>),
    subgroups: false,
    bindings: &[
        texture_read("packed_grad_output"),
        texture_read("packed_weight_columns"),
        texture_write("grad_column"),
    ],
    workgroup_size: 32,
    params: GradColumnParams::FIELDS,
    constants: &[
        ("BLOCK_PIXELS", BLOCK_PIXELS),
        ("PIXELS_PER_INVOCATION", GRAD_COLUMN_PIXELS),
        ("QUADS_PER_INVOCATION", GRAD_COLUMN_QUADS),
        ("LANES", 32),
    ],
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

/// The gradient of the weight, where subgroups have 8 lanes: 32 output channels by 32 columns.
pub const GRAD_WEIGHT_SUBGROUP: GradWeightTile =
    GradWeightTile { kernel: &GRAD_WEIGHT_SUBGROUP_KERNEL, row_quads: 8, pixels: 4 };

/// The gradient of the weight, anywhere: 16 output channels by 128 columns.
pub const GRAD_WEIGHT: GradWeightTile = GradWeightTile { kernel: &GRAD_WEIGHT_KERNEL, row_quads: 4, pixels: 2 };

const GRAD_WEIGHT_SUBGROUP_KERNEL: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_subgroup",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_weight.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_weight::<8, 8, 4>),
    subgroups: true,
    bindings: &[texture_read("packed_grad_output"), texture_read("columns"), read_write("partial")],
    workgroup_size: 8,
    params: GradWeightParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS), ("PIXELS_PER_TURN", 4), ("ROW_QUADS", 8), ("LANES", 8)],
};

const GRAD_WEIGHT_KERNEL: Kernel = Kernel {
    name: "deform_conv2d/grad_weight",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_weight.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_weight::<4, 32, 2>),
    subgroups: false,
    bindings: &[texture_read("packed_grad_output"), texture_read("columns"), read_write("partial")],
    workgroup_size: 32,
    params: GradWeightParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS), ("PIXELS_PER_TURN", 2), ("ROW_QUADS", 4), ("LANES", 32)],
};

/// Adds the partial sums of the gradient of the weight.
pub const GRAD_WEIGHT_REDUCE: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_reduce",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_weight_reduce.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("partial"), read_write("grad_weight")],
    workgroup_size: 64,
    params: GradWeightReduceParams::FIELDS,
    constants: &[],
};

params! {
    /// The uniform of pack_grad_output.
    PackGradOutputParams {
        /// Output channels of a group.
        rows,
        /// Quads of each group in this step.
        quads,
        /// The same of all groups of this step.
        part_quads,
        /// Where the first of them lies among all quads of the texture.
        quad_start,
        /// Quads of the texture.
        all_quads,
        /// First output channel of each group in this step.
        row_start,
        /// Pixels of one output plane.
        out_pixels,
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// Texels to write.
        texels,
        /// Where the image starts in the bound gradient.
        grad_output_base,
        /// Where it starts in the bound output.
        output_base,
        /// The activation: see [`kernel::activation`](crate::kernel::activation).
        kind,
    }
}

params! {
    /// The uniform of pack_weight_columns.
    PackWeightColumnsParams {
        /// Channels of a segment.
        segment_channels,
        /// Quads of each segment in this step.
        segment_quads,
        /// First segment of this step.
        segment_start,
        /// First quad of each segment in this step.
        quad_start,
        /// Segments of a weight group.
        segments_per_group,
        /// Quads of this step's channels.
        quads,
        /// Taps in all.
        taps,
        /// Output channels of a weight group.
        rows,
        /// Quads of the output channels of a weight group.
        row_quads,
        /// Texels to write.
        texels,
    }
}

params! {
    /// The uniform of the variants of grad_column.
    GradColumnParams {
        /// Taps in all.
        taps,
        /// Quads of the packed weight.
        weight_quads,
        /// The number of this step's first quad among these.
        first_quad,
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
        /// First group of this step.
        group_start,
        /// Blocks of quads of a weight group.
        quad_blocks,
        /// Quads of the output channels of a weight group.
        row_quads,
        /// The same of all weight groups of this step.
        all_row_quads,
        /// Output pixels of the window, filled up to whole blocks.
        padded_pixels,
        /// Blocks of pixels.
        pixel_blocks,
        /// Workgroups with something to do.
        workgroups,
    }
}

params! {
    /// The uniform of the variants of grad_weight.
    GradWeightParams {
        /// Taps in all.
        taps,
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
        /// Quads of channels to write.
        elements,
    }
}
