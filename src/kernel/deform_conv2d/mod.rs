//! The kernels of [`ops::deform_conv2d`](crate::ops::deform_conv2d).

mod columns;
mod subgroup;

pub use columns::*;
pub use subgroup::*;
