//! The kernels for depth-wise convolutions, forward; backward::depthwise has the others.

use crate::kernel::{
    BILINEAR, GRID, Kernel, SAMPLE, TAPS, TEXELS, operand, output, params, tap_params, texture_read, texture_write,
};

/// Quads of channels of one invocation of depthwise.
pub const DEPTHWISE_QUADS: u32 = 4;

/// Packs the weight into a texture, four channels a texel.
pub const PACK_WEIGHT_DEPTHWISE: Kernel = Kernel {
    name: "deform_conv2d/pack_weight_depthwise",
    sources: &[include_str!("../../../shaders/deform_conv2d/pack_weight_depthwise.wgsl"), TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("weight"), texture_write("packed_weight")],
    workgroup_size: 64,
    params: PackWeightDepthwiseParams::FIELDS,
    constants: &[],
};

/// Convolves depth-wise, four channels at a time.
pub const DEPTHWISE: Kernel = Kernel {
    name: "deform_conv2d/depthwise",
    sources: &[include_str!("../../../shaders/deform_conv2d/depthwise.wgsl"), SAMPLE, TAPS, BILINEAR, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[
        texture_read("packed_input"),
        texture_read("packed_weight"),
        operand("offset"),
        operand("mask"),
        operand("bias"),
        output("output"),
    ],
    workgroup_size: 64,
    params: DepthwiseParams::FIELDS,
    constants: &[("QUADS", DEPTHWISE_QUADS)],
};

params! {
    /// The uniform of pack_weight_depthwise.
    PackWeightDepthwiseParams {
        /// Channels of a segment.
        segment_channels,
        /// Quads of a segment.
        segment_quads,
        /// Quads of all segments.
        quads,
        /// Taps in all.
        taps,
        /// Texels to write.
        texels,
    }
}

tap_params! {
    /// The uniform of depthwise.
    DepthwiseParams {
        /// Channels of a segment.
        segment_channels,
        /// Quads of a segment.
        all_segment_quads,
        /// Quads of all segments.
        all_quads,
        /// First segment of this step.
        segment_start,
        /// Segments of this step.
        segments,
        /// First quad of each segment in this step.
        quad_start,
        /// Quads of each segment in this step.
        segment_quads,
        /// Blocks of quads of a segment.
        quad_blocks,
        /// Workgroups along the pixels.
        pixel_blocks,
        /// Where the image starts in the bound offset.
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
