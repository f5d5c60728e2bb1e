//! The kernels of [`ops::deform_conv2d`](crate::ops::deform_conv2d).

mod backward;
mod columns;
mod direct;
mod subgroup;
mod tiled;

pub use backward::*;
pub use columns::*;
pub use direct::*;
pub use subgroup::*;
pub use tiled::*;
