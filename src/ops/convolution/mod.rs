//! The core of [`deform_conv2d`](crate::ops::deform_conv2d) and [`conv2d`](crate::ops::conv2d): a convolution whose
//! offset is optional.
//!
//! Shapes and options become a [`Geometry`], which holds all sizes of a call. A geometry and a device's limits become a
//! plan: [`plan`] for the output, [`plan_backward`] for the gradients. Neither needs a device.
//! [`Reference`](reference::Reference) computes the convolution without its activation on the CPU, in f64.

mod algorithm;
mod backward;
mod bands;
mod forward;
mod geometry;
mod gradients;
mod layout;
mod notes;
mod operands;
mod operator;
mod options;
mod pack_input;
mod pack_planes;
mod pack_weight_depthwise;
pub mod reference;
mod sort;
mod tuning;
mod windows;

pub use algorithm::{Algorithm, ParseAlgorithmError, Tile};
pub use backward::plan_backward;
pub use forward::{choice, estimate, plan};
pub use geometry::Geometry;
pub use gradients::{Gradient, Gradients, Mode, Operand};
pub use operands::Operands;
pub(in crate::ops) use operator::{Convolution, Given, OutputGradient, Task};
pub use options::{BorderGradient, Options};
pub use tuning::Tuning;
#[cfg(not(target_arch = "wasm32"))]
pub(in crate::ops) use tuning::measure::fastest;
