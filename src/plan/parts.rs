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

/// Returns the largest of 1 … `most` that fits, by bisection. 1 must fit.
pub(crate) fn largest(most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut fitting, mut beyond) = (1, most + 1);
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting
}

/// Cuts `total` into as few parts of at most `most` as possible, and returns the size of the parts if they are as equal
/// as possible.
pub(crate) fn even(total: u64, most: u64) -> u64 {
    total.div_ceil(total.div_ceil(most))
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
