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

/// Tells a kernel that the output is that of the convolution itself.
const LINEAR: &str = "const ACTIVATED = false;\n";
/// Tells a kernel that an activation has made the output.
const ACTIVATED: &str = "const ACTIVATED = true;\n";
/// Tells a kernel that taps lie where offsets move them.
const DEFORMED: &str = "const DEFORMED = true;\n";
/// Tells grad_input that the gradients of the columns were computed before it.
const COLUMNS: &str = "const DEPTHWISE = false;\n";
/// Tells it that it computes them itself: a constant, since a CPU driver would run both branches of a condition.
const DEPTHWISE: &str = "const DEPTHWISE = true;\n";
