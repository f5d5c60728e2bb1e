#![doc = include_str!("../README.md")]
#![doc = include_str!("glossary.md")]

#[cfg(test)]
extern crate self as deform;

mod dtype;
pub mod error;
mod gpu;
mod kernel;
pub mod layers;
pub mod ops;
pub mod plan;

pub use dtype::{Dtype, Element};
pub use error::{Error, Result};
pub use gpu::{Bound, Gpu, Prepared, Recorder, Tensor, wgpu};
pub use ops::deform_conv2d::{DeformConv2d, Gradients, Inputs, Options};

#[doc(hidden)]
pub use kernel::wgsl_modules;

#[cfg(test)]
#[path = "../tests/unit/mod.rs"]
mod tests;
