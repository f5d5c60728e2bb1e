//! Layers: operators with their parameters, forward and backward, as models are built from them.
//!
//! | layer | computes |
//! |---|---|
//! | [`DeformConv2d`] | deformable convolution with a given offset: torchvision's module of that name |
//! | [`DeformableConv2d`] | deformable convolution with an offset and a mask that convolutions make from the input |
//! | [`CycleFc`] | CycleMLP's layer: a 1×1 convolution on channels that are each shifted by their own distance |
//! | [`Conv2d`] | ordinary convolution |
//!
//! A layer's `forward` keeps nothing; `backward` needs the input and the results of `forward`. `backward` returns the
//! gradient of the input ([`DeformConv2d`]'s writes it to a target). It also writes or adds the gradients of the
//! parameters, which the layer holds. An [`Optimizer`](crate::ops::optimizer::Optimizer) then changes the values. All
//! numbers are f32. Only the methods that save a layer wait for the device.
//!
//! Every constructor takes the operator whose device and measurements the layer uses, the layer's options, and the seed
//! of its initialisation. A layer keeps its own calls, so layers do not push each other's out. Scratch exists once per
//! device.
//!
//! ```no_run
//! use deform::layers::{DeformableConv2d, DeformableConv2dOptions, Mask};
//! use deform::ops::deform_conv2d::Mode;
//! use deform::{DeformConv2d, Gpu, Tensor};
//!
//! # fn main() -> deform::Result<()> {
//! let gpu = Gpu::new()?;
//! let operator = DeformConv2d::new(&gpu);
//! let options = DeformableConv2dOptions { mask: Mask::TwiceSigmoid, ..DeformableConv2dOptions::new(3, 8, [3, 3]) };
//! let layer = DeformableConv2d::new(&operator, options, 0)?;
//! let input = Tensor::upload(&gpu, [1, 3, 32, 32], &vec![0.5f32; 3 * 32 * 32])?;
//! let forward = layer.forward(&input)?;
//! let grad_output = Tensor::upload(&gpu, forward.output.shape(), &vec![1.0f32; 8 * 32 * 32])?;
//! let grad_input = layer.backward(&input, &forward, &grad_output, Mode::Write)?;
//! # Ok(())
//! # }
//! ```

mod conv2d;
pub mod cycle_fc;
mod deform_conv2d;
pub mod deformable_conv2d;
mod layer;
mod parameter;
mod state;

pub use conv2d::{Conv2d, Conv2dOptions};
pub use cycle_fc::{CycleFc, CycleFcOptions};
pub use deform_conv2d::{DeformConv2d, DeformConv2dOptions};
pub use deformable_conv2d::{Backward, DeformableConv2d, DeformableConv2dOptions, Forward, Generator, Mask, Names};
pub use layer::Layer;
pub use parameter::Parameter;
pub use state::{HostTensor, State};
