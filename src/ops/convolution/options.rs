//! The options of a call.

use super::algorithm::Algorithm;

/// The options of a call. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Input pixels between neighbouring output pixels. Default 1.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on both sides of the image. Default 0.
    pub padding: [usize; 2],
    /// Input pixels between neighbouring taps. Default 1.
    pub dilation: [usize; 2],
    /// The algorithm. Default [`Algorithm::Auto`].
    pub algorithm: Algorithm,
    /// The gradient of the offset where a tap lies at exactly −1. Default [`BorderGradient::Torchvision`].
    pub border_gradient: BorderGradient,
    /// The largest number of bytes of device memory that a plan may use for intermediate results. Default 64 MiB. With
    /// less memory a plan has more and smaller steps.
    pub workspace_limit: u64,
    /// Whether a call that a limit of the device or of the workspace makes slow is an error, [`Error::Slow`]. For a frame
    /// an error is better than a stall. The reasons are those of [`Plan::notes`], which tells them otherwise. Default
    /// false.
    ///
    /// [`Error::Slow`]: crate::Error::Slow
    /// [`Plan::notes`]: crate::plan::Plan::notes
    pub refuse_slow: bool,
}

impl Options {
    /// Returns the defaults, as [`Default::default`] does, also in a `const`.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "a trait's function cannot be const")]
    pub const fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            algorithm: Algorithm::Auto,
            border_gradient: BorderGradient::Torchvision,
            workspace_limit: 64 << 20,
            refuse_slow: false,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::default()
    }
}

/// The derivative of a sample by its position, for a tap at exactly −1 on an axis. The sample is 0 there, and grows
/// towards the image. With offsets of zero and a padding of 1 this case is common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BorderGradient {
    /// The derivative is the right-hand one, as at every other whole number.
    #[default]
    Torchvision,
    /// The derivative is 0, as in mmcv and the original DCNv1 and DCNv2.
    Mmcv,
}
