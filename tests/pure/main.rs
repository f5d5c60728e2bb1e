//! Everything that needs no adapter.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test binary has no users, and a failed unwrap is a failed test"
)]

#[path = "../support/mod.rs"]
mod support;
