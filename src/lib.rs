#![doc = include_str!("../README.md")]
#![doc = include_str!("glossary.md")]

mod dtype;
pub mod error;
mod gpu;
pub mod kernel;
pub mod layers;
pub mod ops;
pub mod plan;

pub use dtype::{Dtype, Element};
pub use error::{Error, Result};
pub use gpu::{Bound, Gpu, Prepared, Recorder, Tensor, wgpu};
pub use ops::deform_conv2d::{DeformConv2d, Gradients, Inputs, Options};
