//! Deformable convolution on any GPU: torchvision's `deform_conv2d`, forward and backward, through wgpu and WGSL.
//!
//! An ordinary 3×3 convolution reads nine pixels on a fixed grid. A deformable one moves each of the nine by an offset
//! of its own, different at every output pixel, and reads between pixels by bilinear interpolation. Version 2 also
//! multiplies each sample by a mask.
//!
//! ```text
//! y = (oy·stride_h − pad_h + i·dil_h) + offset_y            x in the same way
//! output[b, o, oy, ox] = bias[o] + Σ_{c, i, j} weight[o, c, i, j] · mask · sample(input[b, c], y, x)
//! ```
//!
//! ```
//! use deform::{DeformConv2d, Gpu, Inputs, Options, Tensor};
//!
//! # fn main() -> deform::Result<()> {
//! let gpu = Gpu::new()?;
//! let input = Tensor::upload(&gpu, [1, 64, 32, 32], &vec![1.0; 64 * 32 * 32])?;
//! let offset = Tensor::upload(&gpu, [1, 2 * 9, 32, 32], &vec![0.25; 2 * 9 * 32 * 32])?;
//! let mask = Tensor::upload(&gpu, [1, 9, 32, 32], &vec![0.5; 9 * 32 * 32])?;
//! let weight = Tensor::upload(&gpu, [64, 64, 3, 3], &vec![0.01; 64 * 64 * 9])?;
//!
//! let inputs = Inputs { input: &input, offset: &offset, weight: &weight, mask: Some(&mask), bias: None };
//! let options = Options { padding: [1, 1], ..Options::default() };
//! let output = DeformConv2d::new(&gpu).forward(&inputs, options)?;
//! assert_eq!(output.shape(), [1, 64, 32, 32]);
//! let values: Vec<f32> = output.download()?;
//! // In the middle all nine taps read 1: 64 channels · 9 taps · 0.01 · 0.5.
//! assert!((values[32 * 16 + 16] - 2.88).abs() < 1e-4);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! - [`Gpu`] is a device: found by [`Gpu::new`], or the caller's own through [`Gpu::from_wgpu`].
//! - [`Tensor`] is an array on it.
//! - [`DeformConv2d`] is the operator. [`forward`](DeformConv2d::forward) and [`backward`](DeformConv2d::backward)
//!   allocate, record and submit. [`prepare`](DeformConv2d::prepare), [`Prepared::bind`] and [`Bound::record`] put a
//!   call into an encoder of the caller's.
//! - [`ops`] has its algorithms, measurements and reference, and the other operators: convolution, activation, shift,
//!   optimizers, statistics, textures.
//! - [`layers`] has operators with their parameters, for models.
//! - [`plan`] describes a planned call.
//! - [`Error`] names what is wrong with a call.
//!
//! The repository's README and `docs` folder have guides for graphics applications, for continuous integration and for
//! those who come from torchvision, mmcv or burn.
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

#[cfg(doctest)]
#[path = "../tests/guides/mod.rs"]
mod guides;
