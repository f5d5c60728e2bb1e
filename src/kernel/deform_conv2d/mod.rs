//! The kernels of [`ops::deform_conv2d`](crate::ops::deform_conv2d).

mod columns;
mod direct;
mod subgroup;
mod tiled;

pub use columns::*;
pub use direct::*;
pub use subgroup::*;
pub use tiled::*;
