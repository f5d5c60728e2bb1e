//! Ranges, and the parts into which plans cut them.

use std::ops::Range;

/// Cuts a range into consecutive parts of `size`. The last part may be shorter.
pub(crate) fn split(range: Range<u64>, size: u64) -> impl Iterator<Item = Range<u64>> {
    let size = size.max(1);
    (0..range.len().div_ceil(size)).map(move |n| {
        let start = range.start + n * size;
        start..range.end.min(start.saturating_add(size))
    })
}

/// The length of a range of u64. `std` has lengths only for ranges of `usize` and smaller types.
pub(crate) trait Len {
    fn len(&self) -> u64;
}

impl Len for Range<u64> {
    fn len(&self) -> u64 {
        self.end - self.start
    }
}
