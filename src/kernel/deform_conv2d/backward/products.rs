//! The gradient of the columns, and the packing that the products of the backward pass need.

use super::{ACTIVATED, LINEAR};
use crate::kernel::unroll::backward as unroll;
use crate::kernel::{
    COLUMNS_LAYOUT, GRID, Kernel, LINEAR_GRADIENT, SLOPE, TEXELS, WEIGHT_ROWS, operand, params, read_write,
    texture_read, texture_write,
};

/// Pixels that the textures of the backward pass keep together; a window of pixels is filled up to whole blocks.
pub const BLOCK_PIXELS: u32 = 32;
/// Quads of channels that lie side by side in the columns.
pub const QUADS_PER_BLOCK: u32 = 8;
/// Pixels of one invocation of grad_column.
pub const GRAD_COLUMN_PIXELS: u32 = 4;
/// Quads of channels of one invocation of grad_column.
pub const GRAD_COLUMN_QUADS: u32 = 8;

/// Quads of channels of one invocation of pack_grad_output.
pub const PACK_GRAD_OUTPUT_QUADS: u32 = 8;

/// Packs the gradient of the output into a texture, four channels a texel.
pub const PACK_GRAD_OUTPUT: Kernel = Kernel {
    name: "deform_conv2d/pack_grad_output",
    sources: &[PACK_GRAD_OUTPUT_TEXT, LINEAR, LINEAR_GRADIENT, SLOPE, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("grad_output"), operand("output"), texture_write("packed_grad_output")],
    workgroup_size: 64,
    params: PackGradOutputParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS), ("QUADS_PER_INVOCATION", PACK_GRAD_OUTPUT_QUADS)],
};

/// The same behind an activation.
pub const PACK_GRAD_OUTPUT_ACTIVATED: Kernel = Kernel {
    name: "deform_conv2d/pack_grad_output_activated",
    sources: &[PACK_GRAD_OUTPUT_TEXT, ACTIVATED, LINEAR_GRADIENT, SLOPE, TEXELS, GRID],
    ..PACK_GRAD_OUTPUT
};

const PACK_GRAD_OUTPUT_TEXT: &str = include_str!("../../../../shaders/deform_conv2d/pack_grad_output.wgsl");

/// Taps of one invocation of pack_weight_columns and of grad_weight_reduce.
pub const WEIGHT_TAPS: u32 = 16;

/// Packs the weight into a texture, four output channels a texel.
pub const PACK_WEIGHT_COLUMNS: Kernel = Kernel {
    name: "deform_conv2d/pack_weight_columns",
    sources: &[include_str!("../../../../shaders/deform_conv2d/pack_weight_columns.wgsl"), WEIGHT_ROWS, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("weight"), texture_write("packed_weight_columns")],
    workgroup_size: 64,
    params: PackWeightColumnsParams::FIELDS,
    constants: &[("TAPS_PER_INVOCATION", WEIGHT_TAPS)],
};

/// The gradient of the columns, where subgroups have 8 lanes.
pub const GRAD_COLUMN_SUBGROUP: Kernel = Kernel {
    name: "deform_conv2d/grad_column_subgroup",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_column.wgsl"), COLUMNS_LAYOUT, TEXELS, GRID],
    unrolled: Some(unroll::grad_column::<8>),
    subgroups: true,
    bindings: &[texture_read("packed_grad_output"), texture_read("packed_weight_columns"), read_write("grad_column")],
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
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_column.wgsl"), COLUMNS_LAYOUT, TEXELS, GRID],
    unrolled: Some(unroll::grad_column::<32>),
    subgroups: false,
    bindings: &[texture_read("packed_grad_output"), texture_read("packed_weight_columns"), read_write("grad_column")],
    workgroup_size: 32,
    params: GradColumnParams::FIELDS,
    constants: &[
        ("BLOCK_PIXELS", BLOCK_PIXELS),
        ("PIXELS_PER_INVOCATION", GRAD_COLUMN_PIXELS),
        ("QUADS_PER_INVOCATION", GRAD_COLUMN_QUADS),
        ("LANES", 32),
    ],
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
        /// The same, filled up to whole blocks.
        padded_pixels,
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
