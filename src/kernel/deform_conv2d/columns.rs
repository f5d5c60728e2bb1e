//! The column algorithm's kernels: sample into a column buffer, then multiply.

use crate::kernel::{BILINEAR, GRID, Kernel, TAPS, operand, output, params, read, read_write, tap_params};

/// Samples the input at the deformed positions into the column buffer.
pub const IM2COL: Kernel = Kernel {
    name: "deform_conv2d/im2col",
    sources: &[include_str!("../../../shaders/deform_conv2d/im2col.wgsl"), TAPS, BILINEAR, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("input"), operand("offset"), operand("mask"), read_write("columns")],
    workgroup_size: 64,
    params: Im2colParams::FIELDS,
    constants: &[("CHANNELS_PER_INVOCATION", CHANNELS_PER_INVOCATION)],
};

/// Multiplies the weight by the column buffer, bias in the epilogue.
pub const MATMUL: Kernel = Kernel {
    name: "deform_conv2d/matmul",
    sources: &[include_str!("../../../shaders/deform_conv2d/matmul.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("weight"), read("columns"), operand("bias"), output("output")],
    workgroup_size: 64,
    params: MatmulParams::FIELDS,
    constants: &[
        ("TILE_M", TILE_M),
        ("TILE_N", TILE_N),
        ("TILE_K", TILE_K),
        ("LOADS_PER_INVOCATION", LOADS_PER_INVOCATION),
    ],
};

/// Input channels that one invocation of im2col samples with one set of corner weights.
pub const CHANNELS_PER_INVOCATION: u32 = 16;
/// Output channels of one matmul tile.
pub const TILE_M: u32 = 64;
/// Output pixels of one matmul tile.
pub const TILE_N: u32 = 64;
/// Column rows that one matmul tile takes in at a time.
pub const TILE_K: u32 = 16;
/// Elements of each operand's tile that one matmul invocation loads.
pub const LOADS_PER_INVOCATION: u32 = 16;

/// Loop steps that one invocation of matmul spends on `depth` column rows: each entry into a loop costs its trips plus one.
#[must_use]
pub const fn matmul_loop_steps(depth: u32) -> u32 {
    let steps_per_tile = 1 + (LOADS_PER_INVOCATION + 1) + (TILE_K + 1);
    depth.div_ceil(TILE_K) * steps_per_tile + 1
}

tap_params! {
    /// The uniform of im2col. Strides and bases count elements; a base is where the bound window's first wanted element lies.
    Im2colParams {
        /// First output pixel of this chunk in each image.
        pixel_start,
        /// Output pixels of this chunk in each image.
        pixels,
        /// Columns of the column buffer: images of this chunk times `pixels`.
        columns_width,
        /// Workgroups along the columns.
        pixel_blocks,
        /// First (offset group, tap) pair of this step.
        pair_start,
        /// (offset group, tap) pairs of this step.
        pairs,
        /// Input channels that share an offset group.
        channels_per_offset_group,
        /// First input channel of this step.
        channel_start,
        /// One past the last input channel of this step.
        channel_end,
        /// First input channel that the column buffer holds.
        columns_channel_start,
        /// Elements between images of the input.
        input_image_stride,
        /// Elements between images of the offset.
        offset_image_stride,
        /// Elements between images of the mask.
        mask_image_stride,
        /// Where channel `channel_start` lies in the bound input.
        input_base,
        /// Where channel `2·pair_start`, pixel `pixel_start` lies in the bound offset.
        offset_base,
        /// Where channel `pair_start`, pixel `pixel_start` lies in the bound mask.
        mask_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
    }
}

params! {
    /// The uniform of matmul. Strides and bases count elements; a base is where the bound window's first wanted element lies.
    MatmulParams {
        /// Output channels of each weight group in this step.
        rows,
        /// Columns of the column buffer.
        columns_width,
        /// Column rows of each weight group in this step.
        depth,
        /// Tiles along the rows.
        row_tiles,
        /// Tiles along the columns.
        column_tiles,
        /// Tiles of all weight groups of this step.
        tiles,
        /// Output pixels of this chunk in each image.
        pixels,
        /// Elements between rows of the weight.
        weight_row_stride,
        /// Elements between weight groups in the weight.
        weight_group_stride,
        /// Elements between weight groups in the column buffer.
        columns_group_stride,
        /// Elements between rows of the output, one plane.
        output_row_stride,
        /// Elements between weight groups in the output.
        output_group_stride,
        /// Elements between images of the output.
        output_image_stride,
        /// Where this step's weights start in the bound weight.
        weight_base,
        /// Where this step's rows start in the bound column buffer.
        columns_base,
        /// Where this step's outputs start in the bound output.
        output_base,
        /// Where this step's bias starts in the bound bias.
        bias_base,
        /// Elements between weight groups in the bias.
        bias_group_stride,
        /// 1 where there is a bias.
        has_bias,
        /// 1 where this step adds to what earlier steps left in the output, 0 where it starts from the bias.
        accumulate,
    }
}
