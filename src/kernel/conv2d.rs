//! The kernels that [`ops::conv2d`](crate::ops::conv2d) adds to those of the deformable convolution.

use crate::kernel::{GRID, Kernel, TEXELS, operand, output, params, read_write, tap_params, texture_read};

/// The gradient of an ordinary convolution's input, gathered.
pub const COL2IM: Kernel = Kernel {
    name: "conv2d/col2im",
    sources: &[include_str!("../../shaders/conv2d/col2im.wgsl"), TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[texture_read("grad_column"), read_write("grad_input")],
    workgroup_size: 32,
    params: Col2imParams::FIELDS,
    constants: &[],
};

/// Puts an output through its activation.
pub const ACTIVATE: Kernel = Kernel {
    name: "conv2d/activate",
    sources: &[include_str!("../../shaders/conv2d/activate.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[output("output")],
    workgroup_size: 64,
    params: ActivateParams::FIELDS,
    constants: &[],
};

/// The gradient before an activation.
pub const GRAD_ACTIVATION: Kernel = Kernel {
    name: "conv2d/grad_activation",
    sources: &[include_str!("../../shaders/conv2d/grad_activation.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("output"), operand("grad_output"), read_write("grad_linear")],
    workgroup_size: 64,
    params: GradActivationParams::FIELDS,
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

params! {
    /// The uniform of activate.
    ActivateParams {
        /// Elements of the step.
        elements,
        /// What the sigmoid is multiplied by.
        scale,
        /// Where they start in the bound output.
        output_base,
    }
}

params! {
    /// The uniform of grad_activation.
    GradActivationParams {
        /// Elements of an image.
        elements,
        /// What the sigmoid is multiplied by.
        scale,
        /// Where the image starts in the bound output.
        output_base,
        /// Where it starts in the bound gradient of the output.
        grad_output_base,
    }
}
