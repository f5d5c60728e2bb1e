//! The kernels of the backward pass.

mod depthwise;
mod products;
mod scatter;
mod taps;
mod weight;

pub use depthwise::*;
pub use products::*;
pub use scatter::*;
pub use taps::*;
pub use weight::*;

use crate::kernel::Binding;

/// Tells a kernel that the output is that of the convolution itself.
const LINEAR: &str = "const ACTIVATED = false;\n";
/// Tells a kernel that an activation has made the output.
const ACTIVATED: &str = "const ACTIVATED = true;\n";
/// Tells a kernel that taps lie where offsets move them.
const DEFORMED: &str = "const DEFORMED = true;\n";
/// For the gradients of columns that were computed before.
const COLUMN_GRADIENT: &str = include_str!("../../../../shaders/shared/column_gradient.wgsl");
/// The same of a depth-wise convolution, where they are computed when they are needed.
const DEPTHWISE_GRADIENT: &str = include_str!("../../../../shaders/shared/depthwise_gradient.wgsl");

/// Bindings, and what only some variants have.
const fn with_last(bindings: [Binding; 5], last: Binding) -> [Binding; 6] {
    let [a, b, c, d, e] = bindings;
    [a, b, c, d, e, last]
}
