//! Chunks: the parts of the work that one column buffer holds.

use std::ops::Range;

use crate::plan::Len;

/// The work of one pass of im2col and matmul.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) images: Range<u64>,
    /// Output pixels of each of these images. A chunk of several images has all their pixels.
    pub(super) pixels: Range<u64>,
    /// Input channels: whole weight groups, or a part of one.
    pub(super) channels: Range<u64>,
}

impl Chunk {
    /// Returns the number of columns of the column buffer.
    pub(super) fn width(&self) -> u64 {
        self.images.len() * self.pixels.len()
    }

    /// Returns the number of elements of the column buffer.
    pub(super) fn elements(&self, taps: u64) -> u64 {
        self.channels.len() * taps * self.width()
    }
}
