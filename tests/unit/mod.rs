//! The unit tests that need no adapter: the kernels, their texts, and the plans. They use the crate by its name, as the
//! code that they share with the other tests does.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test module has no users, and a failed unwrap is a failed test"
)]

#[allow(dead_code, reason = "the unit tests use only a part")]
#[path = "../support/case.rs"]
mod case;
#[path = "../support/files.rs"]
mod files;
#[allow(dead_code, reason = "the unit tests use only a part")]
#[path = "../support/fuzz.rs"]
mod random;

mod algorithms;
mod backward_plans;
mod bands;
mod batches;
mod fallbacks;
mod fuzz;
mod kernels;
mod loops;
mod plans;
mod shaders;
mod windows;
