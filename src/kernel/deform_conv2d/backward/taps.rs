//! Where taps lie; the gradients of offset and mask, with the columns; the gradient of the bias.

use super::{ACTIVATED, BLOCK_PIXELS, COLUMN_GRADIENT, DEPTHWISE_GRADIENT, LINEAR, with_last};
use crate::kernel::{
    Binding, COLUMNS_LAYOUT, GRID, Kernel, LINEAR_GRADIENT, PACKED_TAPS, SLOPE, TAPS, TEXELS, operand, params, read,
    read_write, tap_params, texture_read, texture_write,
};

/// Taps of one invocation of pack_taps, which keeps its loop short.
pub const TAPS_PER_INVOCATION: u32 = 64;

/// Packs where the taps of a window lie, for all the others.
pub const PACK_TAPS: Kernel = Kernel {
    name: "deform_conv2d/pack_taps",
    sources: &[include_str!("../../../../shaders/deform_conv2d/pack_taps.wgsl"), TAPS, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("offset"), operand("mask"), texture_write("packed_taps")],
    workgroup_size: 64,
    params: PackTapsParams::FIELDS,
    constants: &[("TAPS_PER_INVOCATION", TAPS_PER_INVOCATION)],
};

/// The gradients of offset and mask.
pub const GRAD_OFFSET: Kernel = Kernel {
    name: "deform_conv2d/grad_offset",
    sources: &[GRAD_OFFSET_TEXT, COLUMN_GRADIENT, COLUMNS_DROPPED, COLUMNS_LAYOUT, PACKED_TAPS, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &grad_offset_bindings(read("column_gradient")),
    workgroup_size: 64,
    params: GradOffsetParams::FIELDS,
    constants: &[],
};

/// The same, and the columns.
pub const GRAD_OFFSET_COLUMNS: Kernel = Kernel {
    name: "deform_conv2d/grad_offset_columns",
    sources: &[GRAD_OFFSET_TEXT, COLUMN_GRADIENT, COLUMNS_KEPT, COLUMNS_LAYOUT, PACKED_TAPS, TEXELS, GRID],
    bindings: &with_last(grad_offset_bindings(read("column_gradient")), read_write("columns")),
    ..GRAD_OFFSET
};

/// [`GRAD_OFFSET`] of a depth-wise convolution, whose columns have no gradient of their own.
pub const GRAD_OFFSET_DEPTHWISE: Kernel = Kernel {
    name: "deform_conv2d/grad_offset_depthwise",
    sources: &[GRAD_OFFSET_TEXT, DEPTHWISE_GRADIENT, COLUMNS_DROPPED, PACKED_TAPS, TEXELS, GRID],
    bindings: &with_last(grad_offset_bindings(texture_read("packed_grad_output")), texture_read("packed_weight")),
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS)],
    ..GRAD_OFFSET
};

const GRAD_OFFSET_TEXT: &str = include_str!("../../../../shaders/deform_conv2d/grad_offset.wgsl");
const COLUMNS_KEPT: &str = include_str!("../../../../shaders/shared/columns_kept.wgsl");
const COLUMNS_DROPPED: &str = include_str!("../../../../shaders/shared/columns_dropped.wgsl");

const fn grad_offset_bindings(gradient: Binding) -> [Binding; 5] {
    [
        texture_read("packed_input"),
        gradient,
        texture_read("packed_taps"),
        read_write("grad_offset"),
        read_write("grad_mask"),
    ]
}

/// The gradient of the bias, as partial sums.
pub const GRAD_BIAS: Kernel = Kernel {
    name: "deform_conv2d/grad_bias",
    sources: &[GRAD_BIAS_TEXT, LINEAR, LINEAR_GRADIENT, SLOPE, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("grad_output"), operand("output"), read_write("partial")],
    workgroup_size: 64,
    params: GradBiasParams::FIELDS,
    constants: &[],
};

/// The same behind an activation.
pub const GRAD_BIAS_ACTIVATED: Kernel = Kernel {
    name: "deform_conv2d/grad_bias_activated",
    sources: &[GRAD_BIAS_TEXT, ACTIVATED, LINEAR_GRADIENT, SLOPE, GRID],
    ..GRAD_BIAS
};

const GRAD_BIAS_TEXT: &str = include_str!("../../../../shaders/deform_conv2d/grad_bias.wgsl");

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
    /// The uniform of pack_taps.
    PackTapsParams {
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// The same, filled up to whole blocks.
        padded_pixels,
        /// Numbers of columns between taps.
        column_stride,
        /// Blocks of taps.
        tap_blocks,
        /// Invocations with something to do.
        invocations,
        /// Where this step's offset groups start in the bound offset.
        offset_base,
        /// Where they start in the bound mask.
        mask_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
    }
}

params! {
    /// The uniform of grad_offset.
    GradOffsetParams {
        /// Rows of the input.
        in_height,
        /// Columns of the input.
        in_width,
        /// Taps in all.
        taps,
        /// Pixels of one output plane.
        out_pixels,
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// The same, filled up to whole blocks.
        padded_pixels,
        /// Numbers of columns between taps.
        column_stride,
        /// How far a tap lies from the right in the number of a depth-wise convolution's column; below lies the pixel.
        tap_shift,
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
        /// Where this step's offset groups start in the bound gradient of the offset.
        grad_offset_base,
        /// The same of the mask.
        grad_mask_base,
        /// 1 where the segment's first channels came in an earlier step.
        follows,
        /// 1 where the gradient of the offset is wanted.
        wants_offset,
        /// 1 where that of the mask is wanted.
        wants_mask,
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
