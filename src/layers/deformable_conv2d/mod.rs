//! The layer that makes its own offsets.

mod layer;
mod names;
mod options;
mod recorded;

pub use layer::{Backward, DeformableConv2d, Forward};
pub use names::Names;
pub use options::{DeformableConv2dOptions, Generator, Mask};
pub use recorded::{PreparedBackward, PreparedForward};
