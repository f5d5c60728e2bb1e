//! Ordinary convolution, as `torch.nn.functional.conv2d` computes it, with an activation behind it where one is wanted.
//!
//! ```text
//! output[b, o, oy, ox] = activation(bias[o] + Σ_{c, i, j} weight[o, c, i, j] · input[b, c, oy·stride_h − pad_h + i·dil_h, ox·stride_w − pad_w + j·dil_w])
//! ```
//!
//! The sum runs over the input channels of o's weight group; the image is surrounded by zeros. It is the deformable convolution
//! without an offset, and computed by the same plans and kernels, in which a sample then is one pixel. f16 outputs behind an activation are
//! rounded twice: the sum, and what comes of it.

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
    /// What is added to each output channel.
    pub bias: Option<T>,
}

impl<T: Copy> From<&Inputs<T>> for Operands<T> {
    fn from(inputs: &Inputs<T>) -> Self {
        let &Inputs { input, weight, bias } = inputs;
        Self { input, offset: None, weight, mask: None, bias }
    }
}

/// How the taps are laid out, and how the work is to be done. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Input pixels between neighbouring output pixels. Default 1.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on both sides of the image. Default 0.
    pub padding: [usize; 2],
    /// Input pixels between neighbouring taps. Default 1.
    pub dilation: [usize; 2],
    /// What each sum goes through last. Default [`Activation::Identity`].
    pub activation: Activation,
    /// The algorithm. Default [`Algorithm::Auto`].
    pub algorithm: Algorithm,
    /// The most bytes of workspace a plan may ask for. Default 64 MiB.
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

/// Something for the gradient by each operand, as the deformable convolution's [`Gradients`](convolution::Gradients).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs, reason = "each name is the operand it says")]
pub struct Gradients<T> {
    pub input: T,
    pub weight: T,
    pub bias: T,
}

impl Gradients<bool> {
    /// All; that by the bias where the call has one.
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

/// The operator on one device. A cheap handle, `Send` and `Sync`: clones and threads share its plans.
#[derive(Debug, Clone)]
pub struct Conv2d {
    core: Convolution,
}

impl Conv2d {
    /// The operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { core: Convolution::new(gpu, convolution::Tuning::default()) }
    }

    /// The operator that shares plans, workspace and scratch with `operator`: of a model's calls, one at a time needs them.
    #[must_use]
    pub fn sharing(operator: &DeformConv2d) -> Self {
        Self { core: operator.core().clone() }
    }

    /// Computes the output, `[batch, out_channels, out_height, out_width]`: validates, allocates it, records and submits. Does
    /// not wait.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`].
    pub fn forward(&self, inputs: &Inputs<&Tensor>, options: Options) -> Result<Tensor> {
        self.core.forward(&task(inputs, options))
    }

    /// Records the computation into the caller's encoder or compute pass, as [`DeformConv2d::record_forward`] does.
    ///
    /// # Errors
    /// As [`DeformConv2d::record_forward`].
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

    /// Plans a call of these shapes, as [`DeformConv2d::prepare_dtype`] does.
    ///
    /// # Errors
    /// As [`DeformConv2d::prepare_dtype`].
    pub fn prepare(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: Options) -> Result<Plan> {
        let geometry = self.geometry(shapes, dtype, &options)?;
        Ok(self.core.prepared(geometry, options.of_taps())?.plan().clone())
    }

    /// The shape of the output of a call of these shapes.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub fn output_shape(shapes: &Inputs<&[usize]>, options: &Options) -> Result<[usize; 4]> {
        Ok(Geometry::new(shapes, &options.of_taps())?.output_shape())
    }

    /// Computes the gradients of a loss by the operands, given its gradient by the output and the output itself, which the
    /// derivative of an activation comes from. Otherwise as [`DeformConv2d::backward`].
    ///
    /// ```text
    /// grad_linear = grad_output · activation′                  1 for the identity, output·(1 − output/scale) for scale·σ, output > 0 for ReLU
    /// grad_bias   = Σ_{b,oy,ox} grad_linear                    grad_weight = grad_linear · columnsᵀ
    /// grad_input  = weightᵀ · grad_linear, each added to the pixel that its tap read
    /// ```
    ///
    /// # Errors
    /// As [`DeformConv2d::backward`], and for `output` as for `grad_output`.
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

    /// Computes the gradients that have a target, into that, as [`DeformConv2d::backward_into`] does.
    ///
    /// # Errors
    /// As [`DeformConv2d::backward_into`], and for `output` as for `grad_output`.
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

    /// Records [`Conv2d::backward`] into the caller's encoder or compute pass, as [`DeformConv2d::record_backward`] does.
    ///
    /// # Errors
    /// As [`DeformConv2d::record_backward`].
    #[allow(clippy::too_many_arguments, reason = "what the forward pass took and gave, and where the result goes")]
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

    /// Plans the backward pass of a call of these shapes, as [`DeformConv2d::prepare_backward`] does.
    ///
    /// # Errors
    /// As [`DeformConv2d::prepare_backward`].
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
