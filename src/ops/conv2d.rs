//! Ordinary convolution, as `torch.nn.functional.conv2d` computes it, followed by an optional activation.
//!
//! ```text
//! output[b, o, oy, ox] = activation(bias[o] + Σ_{c, i, j} weight[o, c, i, j] · input[b, c, y, x])
//! y = oy·stride_h − pad_h + i·dil_h          x = ox·stride_w − pad_w + j·dil_w
//! ```
//!
//! The sum runs over the input channels of o's weight group, and zeros surround the image. This is the deformable
//! convolution without an offset. The same plans and kernels compute it, and a sample is then one pixel. An f16 output
//! with an activation is rounded twice: once as a sum, and once behind the activation.

pub use super::activation::Activation;
use super::convolution::{self, Algorithm, Convolution, Geometry, Gradient, Mode, Operands, OutputGradient, Task};
use super::deform_conv2d::DeformConv2d;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Gpu, Recorder, Tensor};
use crate::plan::Plan;

/// The operands of one call, in torch's names: tensors or shapes, depending on `T`.
///
/// | operand | shape |
/// |---|---|
/// | `input` | `[batch, in_channels, in_height, in_width]` |
/// | `weight` | `[out_channels, in_channels / groups, kernel_height, kernel_width]` |
/// | `bias` | `[out_channels]` |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inputs<T> {
    /// The images.
    pub input: T,
    /// The kernel's weights.
    pub weight: T,
    /// The term that is added to each output channel.
    pub bias: Option<T>,
}

impl<T: Copy> From<&Inputs<T>> for Operands<T> {
    fn from(inputs: &Inputs<T>) -> Self {
        let &Inputs { input, weight, bias } = inputs;
        Self { input, offset: None, weight, mask: None, bias }
    }
}

/// The options of a call. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Input pixels between neighbouring output pixels. Default 1.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on both sides of the image. Default 0.
    pub padding: [usize; 2],
    /// Input pixels between neighbouring taps. Default 1.
    pub dilation: [usize; 2],
    /// The function that is applied to each sum. Default [`Activation::Identity`].
    pub activation: Activation,
    /// The algorithm. Default [`Algorithm::Auto`].
    pub algorithm: Algorithm,
    /// The largest number of bytes of device memory that a plan may need beside the operands. Default 64 MiB.
    pub workspace_limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        let convolution::Options { stride, padding, dilation, algorithm, workspace_limit, .. } = Default::default();
        Self { stride, padding, dilation, activation: Activation::default(), algorithm, workspace_limit }
    }
}

impl Options {
    fn of_taps(&self) -> convolution::Options {
        let &Self { stride, padding, dilation, algorithm, workspace_limit, .. } = self;
        let others = convolution::Options::default();
        convolution::Options { stride, padding, dilation, algorithm, workspace_limit, ..others }
    }
}

/// A value for the gradient of each operand, like the deformable convolution's [`Gradients`](convolution::Gradients).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs, reason = "each name is the operand it says")]
pub struct Gradients<T> {
    pub input: T,
    pub weight: T,
    pub bias: T,
}

impl Gradients<bool> {
    /// All gradients. The gradient of the bias is left out if the call has no bias.
    pub const ALL: Self = Self { input: true, weight: true, bias: true };
}

impl<T: Default> From<Gradients<T>> for convolution::Gradients<T> {
    fn from(gradients: Gradients<T>) -> Self {
        let Gradients { input, weight, bias } = gradients;
        Self { input, weight, bias, ..Default::default() }
    }
}

impl<T> From<convolution::Gradients<T>> for Gradients<T> {
    fn from(gradients: convolution::Gradients<T>) -> Self {
        let convolution::Gradients { input, weight, bias, .. } = gradients;
        Self { input, weight, bias }
    }
}

/// The operator on one device. The handle is cheap to clone, `Send` and `Sync`. Clones share its plans.
#[derive(Debug, Clone)]
pub struct Conv2d {
    core: Convolution,
}

impl Conv2d {
    /// Makes the operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { core: Convolution::new(gpu, convolution::Tuning::default()) }
    }

    /// Makes an operator that shares plans, workspace and scratch with `operator`. A model runs one call at a time, so
    /// its calls can share them.
    #[must_use]
    pub fn sharing(operator: &DeformConv2d) -> Self {
        Self { core: operator.core().clone() }
    }

    /// Computes the output, `[batch, out_channels, out_height, out_width]`: validates, allocates, records and submits.
    /// Does not wait.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`].
    pub fn forward(&self, inputs: &Inputs<&Tensor>, options: Options) -> Result<Tensor> {
        self.core.forward(&task(inputs, options))
    }

    /// Records the computation into the caller's encoder or compute pass, as [`DeformConv2d::record_forward`] does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::record_forward`].
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        workspace: &Tensor,
        options: Options,
    ) -> Result<()> {
        self.core.record_forward(recorder, &task(inputs, options), output, workspace)
    }

    /// Plans a call on operands of these shapes, as [`DeformConv2d::prepare_dtype`] does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::prepare_dtype`].
    pub fn prepare(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: Options) -> Result<Plan> {
        let geometry = self.geometry(shapes, dtype, &options)?;
        Ok(self.core.prepared(geometry, options.of_taps())?.plan().clone())
    }

    /// Returns the shape of the output for operands of these shapes.
    ///
    /// # Errors
    /// The same as [`Geometry::new`].
    pub fn output_shape(shapes: &Inputs<&[usize]>, options: &Options) -> Result<[usize; 4]> {
        Ok(Geometry::new(shapes, &options.of_taps())?.output_shape())
    }

    /// Computes the gradients of a loss with respect to the operands from its gradient with respect to the output. The
    /// derivative of the activation needs the output itself. Otherwise this is [`DeformConv2d::backward`].
    ///
    /// ```text
    /// grad_linear = grad_output · activation′                  1 for the identity, output·(1 − output/scale) for scale·σ, output > 0 for ReLU
    /// grad_bias   = Σ_{b,oy,ox} grad_linear                    grad_weight = grad_linear · columnsᵀ
    /// grad_input  = weightᵀ · grad_linear, added to the pixels that the taps read
    /// ```
    ///
    /// # Errors
    /// The same as [`DeformConv2d::backward`], where `output` is checked like `grad_output`.
    pub fn backward(
        &self,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        wanted: Gradients<bool>,
        options: Options,
    ) -> Result<Gradients<Option<Tensor>>> {
        let task = task(inputs, options);
        let of_output = OutputGradient { output: Some(output), grad_output };
        Ok(self.core.backward(&task, of_output, wanted.into())?.into())
    }

    /// Computes the gradients that have a target into their targets, as [`DeformConv2d::backward_into`] does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::backward_into`], where `output` is checked like `grad_output`.
    pub fn backward_into(
        &self,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        options: Options,
    ) -> Result<()> {
        let of_output = OutputGradient { output: Some(output), grad_output };
        self.core.backward_into(&task(inputs, options), of_output, &(*targets).into())
    }

    /// Records [`Conv2d::backward`] into the caller's encoder or compute pass, as [`DeformConv2d::record_backward`]
    /// does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::record_backward`].
    #[allow(clippy::too_many_arguments, reason = "the operands and results of both passes")]
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        workspace: &Tensor,
        options: Options,
    ) -> Result<()> {
        let of_output = OutputGradient { output: Some(output), grad_output };
        let targets = (*targets).into();
        self.core.record_backward(recorder, &task(inputs, options), of_output, &targets, workspace)
    }

    /// Plans the backward pass of a call on operands of these shapes, as [`DeformConv2d::prepare_backward`] does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::prepare_backward`].
    pub fn prepare_backward(
        &self,
        shapes: &Inputs<&[usize]>,
        dtype: Dtype,
        modes: Gradients<Mode>,
        options: Options,
    ) -> Result<Plan> {
        let geometry = self.geometry(shapes, dtype, &options)?;
        Ok(self.core.prepared_gradients(geometry, modes.into(), options.of_taps())?.plan().clone())
    }

    fn geometry(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: &Options) -> Result<Geometry> {
        let geometry = self.core.geometry(shapes, dtype, &options.of_taps())?;
        Ok(Geometry { activation: options.activation, ..geometry })
    }
}

fn task<'a>(inputs: &Inputs<&'a Tensor>, options: Options) -> Task<'a> {
    Task { activation: options.activation, ..Task::new(inputs, options.of_taps()) }
}
