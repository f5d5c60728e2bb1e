//! The gradient of a depth-wise convolution's weight.

use super::BLOCK_PIXELS;
use crate::kernel::deform_conv2d::DEPTHWISE_QUADS;
use crate::kernel::{BILINEAR, GRID, Kernel, SAMPLE, TAPS, TEXELS, operand, read_write, tap_params, texture_read};

/// The gradient of the weight, as partial sums.
pub const GRAD_WEIGHT_DEPTHWISE: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_depthwise",
    sources: &[
        include_str!("../../../../shaders/deform_conv2d/grad_weight_depthwise.wgsl"),
        SAMPLE,
        TAPS,
        BILINEAR,
        TEXELS,
        GRID,
    ],
    unrolled: None,
    subgroups: false,
    bindings: &[
        texture_read("packed_input"),
        texture_read("packed_grad_output"),
        operand("offset"),
        operand("mask"),
        read_write("partial"),
    ],
    workgroup_size: 64,
    params: GradWeightDepthwiseParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS), ("QUADS", DEPTHWISE_QUADS)],
};

tap_params! {
    /// The uniform of grad_weight_depthwise.
    GradWeightDepthwiseParams {
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// Channels of a segment.
        segment_channels,
        /// Segments of this step.
        segments,
        /// First quad of each segment in this step.
        quad_start,
        /// Quads of each segment in this step.
        segment_quads,
        /// Blocks of quads of a segment.
        quad_blocks,
        /// Quads of this step's channels.
        quads,
        /// Slices of a sum.
        slices,
        /// Where this step's offset groups start in the bound offset.
        offset_base,
        /// Where they start in the bound mask.
        mask_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
    }
}
