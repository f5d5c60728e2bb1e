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

use std::fmt;

pub use super::activation::Activation;
use super::convolution::{
    self, Algorithm, Convolution, Geometry, Given, Gradient, Mode, Operands, OutputGradient, Task,
};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Bound, Gpu, Prepared, Recorder, Tensor};

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

impl<'a> Inputs<&'a Tensor> {
    /// Returns the shapes.
    #[must_use]
    pub fn shapes(&self) -> Inputs<&'a [usize]> {
        Inputs { input: self.input.shape(), weight: self.weight.shape(), bias: self.bias.map(Tensor::shape) }
    }
}

impl<T> Inputs<T> {
    /// Returns references to the operands.
    pub fn as_ref(&self) -> Inputs<&T> {
        Inputs { input: &self.input, weight: &self.weight, bias: self.bias.as_ref() }
    }
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
    /// Whether a call that a limit makes slow is an error, as in
    /// [`deform_conv2d::Options`](super::deform_conv2d::Options::refuse_slow). Default false.
    pub refuse_slow: bool,
}

impl Options {
    /// Returns the defaults, as [`Default::default`] does, also in a `const`.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "a trait's function cannot be const")]
    pub const fn default() -> Self {
        let convolution::Options { stride, padding, dilation, algorithm, workspace_limit, refuse_slow, .. } =
            convolution::Options::default();
        let activation = Activation::Identity;
        Self { stride, padding, dilation, activation, algorithm, workspace_limit, refuse_slow }
    }

    fn of_taps(&self) -> convolution::Options {
        let &Self { stride, padding, dilation, algorithm, workspace_limit, refuse_slow, .. } = self;
        let others = convolution::Options::default();
        convolution::Options { stride, padding, dilation, algorithm, workspace_limit, refuse_slow, ..others }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::default()
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

/// The operator on one device. The handle is cheap to clone, `Send` and `Sync`. Clones share its calls.
#[derive(Clone)]
pub struct Conv2d {
    core: Convolution,
}

impl Conv2d {
    /// Makes the operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { core: Convolution::new(gpu, convolution::Tuning::default()) }
    }

    /// Computes the output, `[batch, out_channels, out_height, out_width]`: validates, allocates, records and submits.
    /// Does not wait.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`](crate::DeformConv2d::forward).
    pub fn forward(&self, inputs: &Inputs<&Tensor>, options: Options) -> Result<Tensor> {
        self.core.forward(&task(inputs, options))
    }

    /// Records the computation into the caller's encoder or compute pass, as
    /// [`DeformConv2d::record_forward`](crate::DeformConv2d::record_forward) does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::record_forward`](crate::DeformConv2d::record_forward).
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        options: Options,
    ) -> Result<()> {
        self.core.record_forward(recorder, &task(inputs, options), output)
    }

    /// Prepares a forward call on operands of these shapes and this element type.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::prepare`](crate::DeformConv2d::prepare).
    pub fn prepare(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: Options) -> Result<Prepared<Forward>> {
        self.core.prepare(self.geometry(shapes, dtype, &options)?, options.of_taps())
    }

    /// Returns the shape of the output for operands of these shapes.
    ///
    /// # Errors
    /// The same as [`Geometry::new`].
    pub fn output_shape(shapes: &Inputs<&[usize]>, options: &Options) -> Result<[usize; 4]> {
        Ok(Geometry::new(shapes, &options.of_taps())?.output_shape())
    }

    /// Computes the gradients of a loss with respect to the operands from its gradient with respect to the output. The
    /// derivative of the activation needs the output itself. Otherwise this is
    /// [`DeformConv2d::backward`](crate::DeformConv2d::backward).
    ///
    /// ```text
    /// grad_linear = grad_output · activation′                  1 for the identity, output·(1 − output/scale) for scale·σ, output > 0 for ReLU
    /// grad_bias   = Σ_{b,oy,ox} grad_linear                    grad_weight = grad_linear · columnsᵀ
    /// grad_input  = weightᵀ · grad_linear, added to the pixels that the taps read
    /// ```
    ///
    /// # Errors
    /// The same as [`DeformConv2d::backward`](crate::DeformConv2d::backward), where `output` is checked like
    /// `grad_output`.
    pub fn backward(
        &self,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        wanted: Gradients<bool>,
        options: Options,
    ) -> Result<Gradients<Option<Tensor>>> {
        let gradients = self.core.backward(&task(inputs, options), of_output(output, grad_output), wanted.into());
        Ok(gradients?.into())
    }

    /// Computes the gradients that have a target into their targets, as
    /// [`DeformConv2d::backward_into`](crate::DeformConv2d::backward_into) does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::backward_into`](crate::DeformConv2d::backward_into), where `output` is checked like
    /// `grad_output`.
    pub fn backward_into(
        &self,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        options: Options,
    ) -> Result<()> {
        self.core.backward_into(&task(inputs, options), of_output(output, grad_output), &(*targets).into())
    }

    /// Records [`Conv2d::backward`] into the caller's encoder or compute pass, as
    /// [`DeformConv2d::record_backward`](crate::DeformConv2d::record_backward) does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::record_backward`](crate::DeformConv2d::record_backward).
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        options: Options,
    ) -> Result<()> {
        let of_output = of_output(output, grad_output);
        self.core.record_backward(recorder, &task(inputs, options), of_output, &(*targets).into())
    }

    /// Prepares a backward call on operands of these shapes and this element type, as
    /// [`DeformConv2d::prepare_backward`](crate::DeformConv2d::prepare_backward) does.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::prepare_backward`](crate::DeformConv2d::prepare_backward).
    pub fn prepare_backward(
        &self,
        shapes: &Inputs<&[usize]>,
        dtype: Dtype,
        modes: Gradients<Mode>,
        options: Options,
    ) -> Result<Prepared<Backward>> {
        self.core.prepare_backward(self.geometry(shapes, dtype, &options)?, modes.into(), options.of_taps())
    }

    fn geometry(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: &Options) -> Result<Geometry> {
        let geometry = self.core.geometry(shapes, dtype, &options.of_taps())?;
        Ok(Geometry { activation: options.activation, ..geometry })
    }
}

/// The forward call of [`Conv2d`], as a [`Prepared`].
#[derive(Debug)]
pub enum Forward {}

/// The backward call of [`Conv2d`], as a [`Prepared`].
#[derive(Debug)]
pub enum Backward {}

impl Prepared<Forward> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait.
    ///
    /// # Errors
    /// The same as those of the deformable convolution's `record`.
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
    ) -> Result<()> {
        self.record_call(recorder, &given(inputs).call(output))
    }

    /// Binds the operands of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as those of the deformable convolution's `record`.
    pub fn bind(&self, inputs: &Inputs<&Tensor>, output: &Tensor) -> Result<Bound> {
        self.bind_call(&given(inputs).call(output))
    }
}

impl Prepared<Backward> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait. Every gradient of the
    /// prepared call has a target, whose mode was prepared.
    ///
    /// # Errors
    /// The same as those of the deformable convolution's `record`.
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        targets: &Gradients<Option<&Tensor>>,
    ) -> Result<()> {
        let of_output = of_output(output, grad_output);
        self.record_call(recorder, &given(inputs).backward_call(of_output, &(*targets).into()))
    }

    /// Binds the operands of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as those of the deformable convolution's `record`.
    pub fn bind(
        &self,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        grad_output: &Tensor,
        targets: &Gradients<Option<&Tensor>>,
    ) -> Result<Bound> {
        let of_output = of_output(output, grad_output);
        self.bind_call(&given(inputs).backward_call(of_output, &(*targets).into()))
    }
}

fn given<'a>(inputs: &Inputs<&'a Tensor>) -> Given<'a> {
    Given { operands: inputs.into(), packed: None }
}

fn task<'a>(inputs: &Inputs<&'a Tensor>, options: Options) -> Task<'a> {
    Task { given: given(inputs), activation: options.activation, options: options.of_taps() }
}

fn of_output<'a>(output: &'a Tensor, grad_output: &'a Tensor) -> OutputGradient<'a> {
    OutputGradient { output: Some(output), grad_output }
}

impl fmt::Debug for Conv2d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conv2d {:?}", self.core)
    }
}
