//! The part of the work that one column buffer holds.

use std::ops::Range;

use crate::plan::Len;

/// What one pass of im2col and matmul covers.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) images: Range<u64>,
    /// Output pixels of each of these images; all of them where there are several images.
    pub(super) pixels: Range<u64>,
    /// Input channels: whole weight groups, or a part of one.
    pub(super) channels: Range<u64>,
}

impl Chunk {
    /// Columns of the column buffer.
    pub(super) fn width(&self) -> u64 {
        self.images.len() * self.pixels.len()
    }

    /// Elements of the column buffer.
    pub(super) fn elements(&self, taps: u64) -> u64 {
        self.channels.len() * taps * self.width()
    }
}

/// The stride between `count` images, groups or rows. Where there is only one, no kernel reads the stride, which may pass a parameter's range.
pub(super) fn stride(count: u64, stride: u64) -> u64 {
    if count > 1 { stride } else { 0 }
}
