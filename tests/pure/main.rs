//! The tests that need no adapter and only the public interface: geometry, the reference, the structure of the crate,
//! its documents.
//! The unit tests in tests/unit see the kernels and the plans, too.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test binary has no users, and a failed unwrap is a failed test"
)]

#[path = "../support/mod.rs"]
mod support;

mod arrows;
mod comparator;
mod documents;
mod fuzz;
mod geometry;
mod imports;
mod reference;
