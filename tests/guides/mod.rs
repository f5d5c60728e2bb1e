//! The programs in the README and the guides, which are doc tests.

#[doc = include_str!("../../README.md")]
mod readme {}
#[doc = include_str!("../../docs/algorithms.md")]
mod algorithms {}
#[doc = include_str!("../../docs/applications.md")]
mod applications {}
#[doc = include_str!("../../docs/coming_from.md")]
mod coming_from {}
