//! The kernel that [`ops::conv2d`](crate::ops::conv2d) adds to those of the deformable convolution.

use crate::kernel::{COLUMNS_LAYOUT, GRID, Kernel, TAP_GEOMETRY, read, read_write, tap_params};

/// The gradient of an ordinary convolution's input, gathered.
pub const COL2IM: Kernel = Kernel {
    name: "conv2d/col2im",
    sources: &[include_str!("../../shaders/conv2d/col2im.wgsl"), TAP_GEOMETRY, COLUMNS_LAYOUT, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("grad_column"), read_write("grad_input")],
    workgroup_size: 32,
    params: Col2imParams::FIELDS,
    constants: &[],
};

tap_params! {
    /// The uniform of col2im.
    Col2imParams {
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// The same, filled up to whole blocks.
        padded_pixels,
        /// Channels of a segment.
        segment_channels,
        /// Quads of each segment in this step.
        segment_quads,
        /// First quad of each segment in this step.
        quad_start,
        /// Quads of this step's channels.
        quads,
        /// Invocations with something to do.
        invocations,
        /// Where this step's channels start in the bound gradient.
        grad_input_base,
    }
}
