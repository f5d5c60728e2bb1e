//! The kernel of [`ops::shift`](crate::ops::shift).

use crate::kernel::{GRID, Kernel, operand, output, params, read};

/// Moves every channel by its own whole number of pixels.
pub const SHIFT: Kernel = Kernel {
    name: "shift/shift",
    sources: &[include_str!("../../shaders/shift/shift.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("input"), read("shift"), output("output")],
    workgroup_size: 64,
    params: ShiftParams::FIELDS,
    constants: &[("KEEP", KEEP), ("WRAP", WRAP)],
};

/// The parameter `border` of a pixel that keeps what it cannot get.
pub const KEEP: u32 = 1;
/// The parameter `border` of planes that go round.
pub const WRAP: u32 = 2;

params! {
    /// The uniform of shift.
    ShiftParams {
        /// Rows of a plane.
        height,
        /// Columns of a plane.
        width,
        /// Channels of an image.
        channels,
        /// First plane of this step.
        first_plane,
        /// Pixels of its planes.
        elements,
        /// 0: zeros lie outside; or [`KEEP`] or [`WRAP`].
        border,
        /// 1 for the gradient.
        backward,
        /// Where the first plane starts in the bound input.
        input_base,
        /// Where it starts in the bound output.
        output_base,
    }
}
