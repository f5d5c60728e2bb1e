//! The tests that need no adapter: geometry, plans, the reference, the shaders' texts, the structure of the crate.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test binary has no users, and a failed unwrap is a failed test"
)]

#[path = "../support/mod.rs"]
mod support;

mod algorithms;
mod arrows;
mod backward_plans;
mod comparator;
mod geometry;
mod imports;
mod kernels;
mod loops;
mod plans;
mod reference;
mod shaders;
mod windows;
