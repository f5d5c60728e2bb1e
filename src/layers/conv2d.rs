//! The ordinary convolution as a layer.

use super::parameter::{Convolution, Parameter, parameter_methods};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Recorder, Tensor};
use crate::ops::conv2d::{self, Gradients, Inputs, Options};
use crate::ops::deform_conv2d::{DeformConv2d as Operator, Gradient, Mode};
use crate::plan::Plan;

/// `torch.nn.Conv2d`, followed by [`Options::activation`].
#[derive(Debug, Clone)]
pub struct Conv2d {
    operator: conv2d::Conv2d,
    options: Options,
    pub(super) parameters: Convolution,
}

impl Conv2d {
    /// Makes a layer with torch's initialisation: weight and bias are uniform in ±1/√fan_in, from `seed`.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`].
    pub fn new(operator: &Operator, weight_shape: [usize; 4], bias: bool, options: Options, seed: u64) -> Result<Self> {
        let parameters = Convolution::initialized(operator.gpu(), weight_shape, bias, seed)?;
        Ok(Self { operator: conv2d::Conv2d::sharing(operator), options, parameters })
    }

    /// Makes a layer whose weight and bias are zeros.
    pub(super) fn zeros(operator: &Operator, weight_shape: [usize; 4], bias: bool, options: Options) -> Result<Self> {
        let parameters = Convolution::zeros(operator.gpu(), weight_shape, bias)?;
        Ok(Self { operator: conv2d::Conv2d::sharing(operator), options, parameters })
    }

    fn inputs<'a>(&'a self, input: &'a Tensor) -> Inputs<&'a Tensor> {
        Inputs { input, weight: self.weight().value(), bias: self.bias().map(Parameter::value) }
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

    /// Plans a forward call on an input of this shape, so that recording it allocates nothing. The plan's
    /// `workspace_bytes` is the size of the workspace that recording needs.
    ///
    /// # Errors
    /// The same as the operator's [`prepare`](conv2d::Conv2d::prepare).
    pub fn prepare_forward(&self, input: &[usize]) -> Result<Plan> {
        self.operator.prepare(&self.shapes(input), Dtype::F32, self.options)
    }

    /// Plans a backward call, so that recording it allocates nothing. `grad_input` says whether it writes the gradient
    /// of the input or adds to it, and `mode` the same for the parameters.
    ///
    /// # Errors
    /// The same as the operator's [`prepare_backward`](conv2d::Conv2d::prepare_backward).
    pub fn prepare_backward(&self, input: &[usize], grad_input: Mode, mode: Mode) -> Result<Plan> {
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
        workspace: &Tensor,
    ) -> Result<()> {
        self.operator.record_forward(recorder, &self.inputs(input), output, workspace, self.options)
    }

    /// Records [`Conv2d::backward`] into the caller's encoder or compute pass, with the caller's gradient of the input.
    ///
    /// # Errors
    /// The same as the operator's [`record_backward`](conv2d::Conv2d::record_backward).
    #[allow(clippy::too_many_arguments, reason = "the operands and results of both passes")]
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        grad_input: Gradient<'_>,
        workspace: &Tensor,
        mode: Mode,
    ) -> Result<()> {
        let (inputs, targets) = (self.inputs(input), self.targets(grad_input, mode));
        self.operator.record_backward(recorder, &inputs, output, grad_output, &targets, workspace, self.options)
    }

    fn targets<'a>(&'a self, grad_input: Gradient<'a>, mode: Mode) -> Gradients<Option<Gradient<'a>>> {
        Gradients {
            input: Some(grad_input),
            weight: self.weight().target(mode),
            bias: self.bias().and_then(|bias| bias.target(mode)),
        }
    }

    pub(super) fn backward_into(
        &self,
        input: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        grad_input: Gradient<'_>,
        mode: Mode,
    ) -> Result<()> {
        let targets = self.targets(grad_input, mode);
        self.operator.backward_into(&self.inputs(input), output, grad_output, &targets, self.options)
    }

    parameter_methods!();
}
