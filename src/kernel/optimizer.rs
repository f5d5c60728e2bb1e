//! The kernels of [`ops::optimizer`](crate::ops::optimizer).

use crate::kernel::{GRID, Kernel, WindowParams, read, read_write};

/// One step of stochastic gradient descent with momentum.
pub const SGD: Kernel = Kernel {
    name: "optimizer/sgd",
    sources: &[include_str!("../../shaders/optimizer/sgd.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("settings"), read("gradient"), read_write("value"), read_write("velocity")],
    workgroup_size: 64,
    params: WindowParams::FIELDS,
    constants: &[],
};

/// One step of Adam.
pub const ADAM: Kernel = Kernel {
    name: "optimizer/adam",
    sources: &[include_str!("../../shaders/optimizer/adam.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("settings"), read("gradient"), read_write("value"), read_write("first"), read_write("second")],
    workgroup_size: 64,
    params: WindowParams::FIELDS,
    constants: &[],
};
