#![doc = include_str!("../README.md")]
#![doc = include_str!("glossary.md")]

mod dtype;
pub mod error;
pub mod gpu;
pub mod kernel;
pub mod layers;
pub mod ops;
pub mod plan;

pub use dtype::{Dtype, Element};
pub use error::{Error, Result};
pub use gpu::{Bound, CommandEncoder, Gpu, Prepared, Recorder, Tensor, TextureRegion, wgpu};
pub use ops::deform_conv2d::{Algorithm, BorderGradient, DeformConv2d, Inputs, Options, Tile, Tuning};
pub use ops::deform_conv2d::{Gradient, Gradients, Operand, PackedWeight, Weight};
pub use ops::roofline::Roofline;
