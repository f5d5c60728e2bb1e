//! The kernels of the backward pass.

mod products;
mod scatter;
mod taps;

pub use products::*;
pub use scatter::*;
pub use taps::*;
