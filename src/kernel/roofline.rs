//! The micro-kernels of [`Roofline`](crate::Roofline).

use super::{GRID, Kernel, params, read, read_write};

/// Independent chains of multiply-adds in registers: the adapter's f32 multiply-add rate.
pub const MULTIPLY_ADD: Kernel = Kernel {
    name: "roofline/multiply_add",
    sources: &[include_str!("../../shaders/roofline/multiply_add.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read_write("sink")],
    workgroup_size: 64,
    params: MultiplyAddParams::FIELDS,
    constants: &[("CHAINS", CHAINS), ("UNROLL", UNROLL)],
};

/// One element read, one written: the adapter's copy rate.
pub const COPY: Kernel = Kernel {
    name: "roofline/copy",
    sources: &[include_str!("../../shaders/roofline/copy.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("source"), read_write("destination")],
    workgroup_size: 64,
    params: CopyParams::FIELDS,
    constants: &[],
};

/// Independent vec4 chains of one invocation of multiply_add.
pub const CHAINS: u32 = 3;
/// Multiply-adds of one chain per trip of the loop.
pub const UNROLL: u32 = 16;

params! {
    /// The uniform of multiply_add.
    MultiplyAddParams {
        /// Trips of the loop.
        trips,
        /// Invocations that write.
        invocations,
    }
}

params! {
    /// The uniform of copy.
    CopyParams {
        /// vec4 elements to copy.
        count,
    }
}
