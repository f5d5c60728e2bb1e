//! What people put in a model: operators with their parameters, forward and backward.
//!
//! | layer | computes |
//! |---|---|
//! | [`DeformConv2d`] | the operator with a weight and a bias: torchvision's module of that name |
//! | [`DeformableConv2d`] | that, with convolutions which make the offsets and masks from the input |
//! | [`CycleFc`] | CycleMLP's: a 1×1 convolution whose every channel looks another pixel along |
//! | [`Conv2d`] | an ordinary convolution |
//!
//! A layer's `forward` keeps nothing: what `backward` needs is the input and what `forward` returned. `backward` leaves the gradients of the
//! parameters in them, replaced or added to, and returns that of the input. An [`Optimizer`](crate::ops::optimizer::Optimizer) then changes the values.
//! Everything is f32. No call waits, but those that save.
//!
//! Layers of one device should share one operator: its plans, workspace and scratch then exist once.
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
mod cycle_fc;
mod deform_conv2d;
mod deformable_conv2d;
mod parameter;
mod state;

pub use conv2d::Conv2d;
pub use cycle_fc::CycleFc;
pub use deform_conv2d::DeformConv2d;
pub use deformable_conv2d::{Backward, DeformableConv2d, DeformableConv2dOptions, Forward, Generator, Mask, Names};
pub use parameter::Parameter;
pub use state::{HostTensor, State};
