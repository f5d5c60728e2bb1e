//! The direct kernel, for weight groups of few channels.

use crate::kernel::{BILINEAR, GRID, Kernel, TAPS, operand, output, tap_params};

/// Computes outputs one by one, without a product.
pub const DIRECT: Kernel = Kernel {
    name: "deform_conv2d/direct",
    sources: &[include_str!("../../../shaders/deform_conv2d/direct.wgsl"), TAPS, BILINEAR, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[
        operand("input"),
        operand("weight"),
        operand("offset"),
        operand("mask"),
        operand("bias"),
        output("output"),
    ],
    workgroup_size: 64,
    params: DirectParams::FIELDS,
    constants: &[("OUT_CHANNELS", DIRECT_OUT_CHANNELS)],
};

/// Consecutive output channels of one invocation of direct.
pub const DIRECT_OUT_CHANNELS: u32 = 4;

/// Loop steps that one invocation of direct spends on groups of `channels` channels.
#[must_use]
pub const fn direct_loop_steps(taps: u64, channels: u64) -> u64 {
    1 + taps * (2 + channels * (2 + DIRECT_OUT_CHANNELS as u64))
}

tap_params! {
    /// The uniform of direct. Strides and bases count elements.
    DirectParams {
        /// Input channels of a weight group.
        channels_per_group,
        /// Input channels that share an offset group.
        channels_per_offset_group,
        /// Output channels of a weight group.
        rows,
        /// Output channels.
        out_channels,
        /// Columns of this step: images times output pixels.
        columns,
        /// Workgroups along the columns.
        column_blocks,
        /// Elements between images of the input.
        input_image_stride,
        /// Elements between images of the offset.
        offset_image_stride,
        /// Elements between images of the mask.
        mask_image_stride,
        /// Elements between images of the output.
        output_image_stride,
        /// Where the first image starts in the bound input.
        input_base,
        /// Where it starts in the bound offset.
        offset_base,
        /// Where it starts in the bound mask.
        mask_base,
        /// Where it starts in the bound output.
        output_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
        /// 1 where there is a bias.
        has_bias,
    }
}
