//! The kernels of [`ops::activation`](crate::ops::activation).

use crate::kernel::{GRID, Kernel, SLOPE, operand, output, params, read_write};

/// Puts an output through its activation.
pub const ACTIVATE: Kernel = Kernel {
    name: "activation/activate",
    sources: &[include_str!("../../shaders/activation/activate.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[output("output")],
    workgroup_size: 64,
    params: ActivateParams::FIELDS,
    constants: &[("RELU", RELU)],
};

/// The gradient before an activation.
pub const GRAD_ACTIVATION: Kernel = Kernel {
    name: "activation/grad_activation",
    sources: &[include_str!("../../shaders/activation/grad_activation.wgsl"), SLOPE, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("output"), operand("grad_output"), read_write("grad_linear")],
    workgroup_size: 64,
    params: GradActivationParams::FIELDS,
    constants: &[("IDENTITY", IDENTITY), ("RELU", RELU)],
};

/// The parameter `kind` of no activation.
pub const IDENTITY: u32 = 0;
/// The parameter `kind` of ReLU.
pub const RELU: u32 = 3;

params! {
    /// The uniform of activate.
    ActivateParams {
        /// Elements of the step.
        elements,
        /// [`IDENTITY`], [`RELU`], or what the sigmoid is multiplied by: 1 or 2.
        kind,
        /// Where they start in the bound output.
        output_base,
    }
}

params! {
    /// The uniform of grad_activation.
    GradActivationParams {
        /// Elements of the step.
        elements,
        /// [`IDENTITY`], [`RELU`], or what the sigmoid is multiplied by: 1 or 2.
        kind,
        /// Where they start in the bound output.
        output_base,
        /// Where they start in the bound gradient of the output.
        grad_output_base,
        /// Where they start in the bound result.
        grad_linear_base,
    }
}
