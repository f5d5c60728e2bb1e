//! The gradients of offset and mask, with the columns; the gradient of the bias.

use super::{BLOCK_PIXELS, COLUMNS, DEPTHWISE};
use crate::kernel::{
    BILINEAR, Binding, GRID, Kernel, SLOPE, TAPS, TEXELS, operand, params, read, read_write, tap_params, texture_read,
    texture_write,
};

/// The gradients of offset and mask, and the columns.
pub const GRAD_OFFSET: Kernel =
    grad_offset("deform_conv2d/grad_offset", &[GRAD_OFFSET_TEXT, COLUMNS, TAPS, BILINEAR, TEXELS, GRID]);

/// The same of a depth-wise convolution, whose columns are not kept.
pub const GRAD_OFFSET_DEPTHWISE: Kernel =
    grad_offset("deform_conv2d/grad_offset_depthwise", &[GRAD_OFFSET_TEXT, DEPTHWISE, TAPS, BILINEAR, TEXELS, GRID]);

const GRAD_OFFSET_TEXT: &str = include_str!("../../../../shaders/deform_conv2d/grad_offset.wgsl");

const GRAD_OFFSET_BINDINGS: &[Binding] = &[
    texture_read("packed_input"),
    texture_read("column_gradient"),
    operand("offset"),
    operand("mask"),
    read_write("grad_offset"),
    read_write("grad_mask"),
    texture_write("columns"),
    texture_read("packed_weight"),
];

const fn grad_offset(name: &'static str, sources: &'static [&'static str]) -> Kernel {
    Kernel {
        name,
        sources,
        unrolled: None,
        subgroups: false,
        bindings: GRAD_OFFSET_BINDINGS,
        workgroup_size: 64,
        params: GradOffsetParams::FIELDS,
        constants: &[("BLOCK_PIXELS", BLOCK_PIXELS)],
    }
}

/// The gradient of the bias, as partial sums.
pub const GRAD_BIAS: Kernel = Kernel {
    name: "deform_conv2d/grad_bias",
    sources: &[include_str!("../../../../shaders/deform_conv2d/grad_bias.wgsl"), SLOPE, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("grad_output"), operand("output"), read_write("partial")],
    workgroup_size: 64,
    params: GradBiasParams::FIELDS,
    constants: &[],
};

/// Adds partial sums to a gradient.
pub const SUM_SLICES: Kernel = Kernel {
    name: "deform_conv2d/sum_slices",
    sources: &[include_str!("../../../../shaders/deform_conv2d/sum_slices.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("partial"), read_write("gradient")],
    workgroup_size: 64,
    params: SumSlicesParams::FIELDS,
    constants: &[],
};

tap_params! {
    /// The uniform of grad_offset.
    GradOffsetParams {
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// The same, filled up to whole blocks.
        padded_pixels,
        /// Quads of this step's channels.
        quads,
        /// Quads of each segment in this step.
        segment_quads,
        /// Quads of all segments.
        all_quads,
        /// The number of this step's first quad among all.
        first_quad,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of an offset group.
        segments_per_offset_group,
        /// First group of this step.
        group_start,
        /// Invocations with something to do.
        invocations,
        /// Where this step's offset groups start in the bound offset.
        offset_base,
        /// Where they start in the bound mask.
        mask_base,
        /// Where this step's offset groups start in the bound gradient of the offset.
        grad_offset_base,
        /// The same of the mask.
        grad_mask_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
        /// 1 where the segment's first channels came in an earlier step.
        follows,
        /// 1 where the gradient of the offset is wanted.
        wants_offset,
        /// 1 where that of the mask is wanted.
        wants_mask,
        /// 1 where the columns are wanted.
        wants_columns,
        /// 1 to add to the gradient of the offset.
        adds_offset,
        /// 1 to add to that of the mask.
        adds_mask,
        /// 1 where the derivative by the position is 0 at exactly −1, as in mmcv.
        zero_at_border,
    }
}

params! {
    /// The uniform of grad_bias.
    GradBiasParams {
        /// Pixels of one output plane.
        out_pixels,
        /// Slices of a channel.
        slices,
        /// Invocations with something to do.
        invocations,
        /// Where the image starts in the bound gradient.
        grad_output_base,
        /// Where it starts in the bound output.
        output_base,
        /// The activation: see [`kernel::activation`](crate::kernel::activation).
        kind,
    }
}

params! {
    /// The uniform of sum_slices.
    SumSlicesParams {
        /// Elements to add to.
        elements,
        /// Slices of each.
        slices,
        /// Where the first element lies in the bound gradient.
        base,
    }
}
