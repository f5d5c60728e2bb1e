//! The gradient of a depth-wise convolution's weight.

use super::{BLOCK_PIXELS, DEFORMED};
use crate::kernel::deform_conv2d::DEPTHWISE_QUADS;
use crate::kernel::{GRID, Kernel, PACKED_SAMPLE, PACKED_TAPS, TEXELS, params, read_write, texture_read};

/// The gradient of the weight, as partial sums.
pub const GRAD_WEIGHT_DEPTHWISE: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_depthwise",
    sources: &[
        include_str!("../../../../shaders/deform_conv2d/grad_weight_depthwise.wgsl"),
        PACKED_SAMPLE,
        DEFORMED,
        PACKED_TAPS,
        TEXELS,
        GRID,
    ],
    unrolled: None,
    subgroups: false,
    bindings: &[
        texture_read("packed_input"),
        texture_read("packed_grad_output"),
        texture_read("packed_taps"),
        read_write("partial"),
    ],
    workgroup_size: 64,
    params: GradWeightDepthwiseParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS), ("QUADS", DEPTHWISE_QUADS)],
};

params! {
    /// The uniform of grad_weight_depthwise.
    GradWeightDepthwiseParams {
        /// Rows of the input.
        in_height,
        /// Taps in all.
        taps,
        /// Output pixels of the window.
        pixels,
        /// The same, filled up to whole blocks.
        padded_pixels,
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
    }
}
