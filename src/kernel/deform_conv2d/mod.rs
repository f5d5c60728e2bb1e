//! The kernels of [`ops::deform_conv2d`](crate::ops::deform_conv2d).

mod backward;
mod backward_params;
mod columns;
mod direct;
mod subgroup;
mod tiled;

pub use backward::*;
pub use backward_params::*;
pub use columns::*;
pub use direct::*;
pub use subgroup::*;
pub use tiled::*;
