//! The tests that need an adapter, and fail without one. Most of them share one device.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test binary has no users, and a failed unwrap is a failed test"
)]

#[path = "../../examples/birefnet_aspp/aspp.rs"]
mod aspp;
#[path = "../support/mod.rs"]
mod support;

mod backward;
mod bands;
mod batches;
mod conv2d;
mod conv2d_limits;
mod depthwise;
mod device;
mod errors;
mod faults;
mod forward;
mod frame;
mod golden;
mod gradients;
mod guest;
mod half_precision;
mod identities;
mod input_rows;
mod large;
mod layers;
mod not_finite;
mod prepared;
mod shift;
mod soak;
mod states;
mod texture;
mod training;
mod tuning;
mod verbs;
