//! The ordinary convolution as a layer.

use super::layer::Layer;
use super::parameter::{Convolution, Parameter, parameter_methods};
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::{Prepared, Recorder, Tensor};
use crate::ops::conv2d::{self, Backward, Forward, Gradients, Inputs, Options};
use crate::ops::deform_conv2d::{DeformConv2d as Operator, Gradient, Mode};

/// `torch.nn.Conv2d`, followed by [`Options::activation`].
#[derive(Debug, Clone)]
pub struct Conv2d {
    operator: conv2d::Conv2d,
    options: Options,
    pub(super) parameters: Convolution,
}

/// The options of a [`Conv2d`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv2dOptions {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The kernel, `[height, width]`.
    pub kernel_size: [usize; 2],
    /// The number of weight groups.
    pub groups: usize,
    /// Whether the layer has a bias.
    pub bias: bool,
    /// Stride, padding, dilation, activation, algorithm and workspace.
    pub conv: Options,
}

impl Conv2dOptions {
    /// Returns the options of a layer with torch's defaults: stride 1, no padding, one group and a bias.
    #[must_use]
    pub const fn new(in_channels: usize, out_channels: usize, kernel_size: [usize; 2]) -> Self {
        Self { in_channels, out_channels, kernel_size, groups: 1, bias: true, conv: Options::default() }
    }

    fn weight_shape(&self) -> Result<[usize; 4]> {
        let [height, width] = self.kernel_size;
        Ok([self.out_channels, group_channels(self.in_channels, self.groups)?, height, width])
    }
}

/// Returns the input channels of one of the weight groups.
pub(super) fn group_channels(in_channels: usize, groups: usize) -> Result<usize> {
    if groups == 0 {
        return Err(Error::Setting { setting: "groups", got: "0".into(), expected: "at least 1" });
    }
    if in_channels.is_multiple_of(groups) {
        return Ok(in_channels / groups);
    }
    Err(Error::NotAMultiple { operand: "input", axis: 1, got: in_channels, divisor: groups, because: "groups" })
}

impl Conv2d {
    /// Makes a layer with torch's initialisation: weight and bias are uniform in ±1/√fan_in, from `seed`.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`], [`Error::Setting`] if `groups` is 0, and
    /// [`Error::NotAMultiple`] if it does not divide `in_channels`.
    pub fn new(operator: &Operator, options: Conv2dOptions, seed: u64) -> Result<Self> {
        let parameters = Convolution::initialized(operator.gpu(), options.weight_shape()?, options.bias, seed)?;
        Ok(Self { operator: conv2d::Conv2d::new(operator.gpu()), options: options.conv, parameters })
    }

    /// Makes a layer whose weight and bias are zeros.
    pub(super) fn zeros(operator: &Operator, options: Conv2dOptions) -> Result<Self> {
        let parameters = Convolution::zeros(operator.gpu(), options.weight_shape()?, options.bias)?;
        Ok(Self { operator: conv2d::Conv2d::new(operator.gpu()), options: options.conv, parameters })
    }

    /// Returns the operands of a call, the layer's parameters included.
    #[must_use]
    pub fn inputs<'a>(&'a self, input: &'a Tensor) -> Inputs<&'a Tensor> {
        Inputs { input, weight: self.weight().value(), bias: self.bias().map(Parameter::value) }
    }

    /// Returns the targets of a backward call: the gradient of the input if it is wanted, and those of the parameters
    /// unless `mode` is [`Mode::Skip`].
    #[must_use]
    pub fn targets<'a>(
        &'a self,
        grad_input: impl Into<Option<&'a Tensor>>,
        mode: Mode,
    ) -> Gradients<Option<&'a Tensor>> {
        let targets = self.gradients(grad_input.into().map(Gradient::Write), mode);
        let [input, weight, bias] =
            [targets.input, targets.weight, targets.bias].map(|target| target.map(Gradient::tensor));
        Gradients { input, weight, bias }
    }

    fn gradients<'a>(&'a self, grad_input: Option<Gradient<'a>>, mode: Mode) -> Gradients<Option<Gradient<'a>>> {
        Gradients {
            input: grad_input,
            weight: self.weight().target(mode),
            bias: self.bias().and_then(|bias| bias.target(mode)),
        }
    }

    /// Computes the output.
    ///
    /// # Errors
    /// The same as the operator's [`forward`](conv2d::Conv2d::forward).
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.operator.forward(&self.inputs(input), self.options)
    }

    /// Returns the gradient of the input. Writes the gradients of the parameters or adds to them, as `mode` says.
    ///
    /// # Errors
    /// The same as the operator's [`backward`](conv2d::Conv2d::backward).
    pub fn backward(&self, input: &Tensor, output: &Tensor, grad_output: &Tensor, mode: Mode) -> Result<Tensor> {
        let grad_input = Tensor::new(input.gpu(), input.shape(), Dtype::F32)?;
        self.backward_into(input, output, grad_output, Gradient::Write(&grad_input), mode)?;
        Ok(grad_input)
    }

    /// Returns the shape of the output for an input of this shape.
    ///
    /// # Errors
    /// The same as the operator's [`output_shape`](conv2d::Conv2d::output_shape).
    pub fn output_shape(&self, input: &[usize]) -> Result<[usize; 4]> {
        conv2d::Conv2d::output_shape(&self.shapes(input), &self.options)
    }

    /// Prepares a forward call on an input of this shape. The call records with [`Conv2d::inputs`].
    ///
    /// # Errors
    /// The same as the operator's [`prepare`](conv2d::Conv2d::prepare).
    pub fn prepare(&self, input: &[usize]) -> Result<Prepared<Forward>> {
        self.operator.prepare(&self.shapes(input), Dtype::F32, self.options)
    }

    /// Prepares a backward call. `grad_input` says whether it writes the gradient of the input, adds to it or skips it,
    /// and `mode` the same for the parameters. The call records with [`Conv2d::inputs`] and [`Conv2d::targets`].
    ///
    /// # Errors
    /// The same as the operator's [`prepare_backward`](conv2d::Conv2d::prepare_backward).
    pub fn prepare_backward(&self, input: &[usize], grad_input: Mode, mode: Mode) -> Result<Prepared<Backward>> {
        let bias = self.bias().map_or(Mode::Skip, |_| mode);
        let modes = Gradients { input: grad_input, weight: mode, bias };
        self.operator.prepare_backward(&self.shapes(input), Dtype::F32, modes, self.options)
    }

    fn shapes<'a>(&'a self, input: &'a [usize]) -> Inputs<&'a [usize]> {
        let bias = self.bias().map(|bias| bias.value().shape());
        Inputs { input, weight: self.weight().value().shape(), bias }
    }

    /// Records [`Conv2d::forward`] into the caller's encoder or compute pass, with the caller's output.
    ///
    /// # Errors
    /// The same as the operator's [`record_forward`](conv2d::Conv2d::record_forward).
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        output: &Tensor,
    ) -> Result<()> {
        self.operator.record_forward(recorder, &self.inputs(input), output, self.options)
    }

    /// Records [`Conv2d::backward`] into the caller's encoder or compute pass, with the caller's gradient of the input.
    ///
    /// # Errors
    /// The same as the operator's [`record_backward`](conv2d::Conv2d::record_backward).
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        grad_input: Gradient<'_>,
        mode: Mode,
    ) -> Result<()> {
        let targets = self.gradients(Some(grad_input), mode);
        self.operator.record_backward(recorder, &self.inputs(input), output, grad_output, &targets, self.options)
    }

    pub(super) fn backward_into(
        &self,
        input: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        grad_input: Gradient<'_>,
        mode: Mode,
    ) -> Result<()> {
        let targets = self.gradients(Some(grad_input), mode);
        self.operator.backward_into(&self.inputs(input), output, grad_output, &targets, self.options)
    }

    parameter_methods!();
}

impl Layer for Conv2d {
    fn parameters(&self) -> Vec<(String, &Parameter)> {
        self.parameters.named("")
    }
}
