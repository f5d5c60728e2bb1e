//! The deformable convolution as a layer.

use super::parameter::{Convolution, Parameter, parameter_methods};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Recorder, Tensor};
use crate::ops::deform_conv2d::{DeformConv2d as Operator, Geometry, Gradient, Gradients, Inputs, Mode, Options};
use crate::plan::Plan;

/// torchvision's `DeformConv2d` module. The caller provides the offset, and the mask if there is one.
#[derive(Debug, Clone)]
pub struct DeformConv2d {
    operator: Operator,
    options: Options,
    pub(super) parameters: Convolution,
}

impl DeformConv2d {
    /// Makes a layer with torchvision's initialisation: weight and bias are uniform in ±1/√fan_in, from `seed`.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`].
    pub fn new(operator: &Operator, weight_shape: [usize; 4], bias: bool, options: Options, seed: u64) -> Result<Self> {
        let parameters = Convolution::initialized(operator.gpu(), weight_shape, bias, seed)?;
        Ok(Self { operator: operator.clone(), options, parameters })
    }

    /// Returns the operands of a call, the layer's parameters included.
    #[must_use]
    pub fn inputs<'a>(&'a self, input: &'a Tensor, offset: &'a Tensor, mask: Option<&'a Tensor>) -> Inputs<&'a Tensor> {
        let bias = self.bias().map(Parameter::value);
        Inputs { input, offset, weight: self.weight().value(), mask, bias }
    }

    /// Computes the output.
    ///
    /// # Errors
    /// The same as the operator's [`forward`](Operator::forward).
    pub fn forward(&self, input: &Tensor, offset: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        self.operator.forward(&self.inputs(input, offset, mask), self.options)
    }

    /// Returns the shape of the output for operands of these shapes.
    ///
    /// # Errors
    /// The same as [`Geometry::new`].
    pub fn output_shape(&self, input: &[usize], offset: &[usize], mask: Option<&[usize]>) -> Result<[usize; 4]> {
        Ok(Geometry::new(self.shapes(input, offset, mask), &self.options)?.output_shape())
    }

    /// Plans a forward call on operands of these shapes, so that recording it allocates nothing. The plan's
    /// `workspace_bytes` is the size of the workspace that recording needs.
    ///
    /// # Errors
    /// The same as the operator's [`prepare`](Operator::prepare).
    pub fn prepare_forward(&self, input: &[usize], offset: &[usize], mask: Option<&[usize]>) -> Result<Plan> {
        self.operator.prepare(&self.shapes(input, offset, mask), self.options)
    }

    /// Plans a backward call, so that recording it allocates nothing. `modes` says which gradients of input, offset and
    /// mask it computes, and `mode` the same for the parameters.
    ///
    /// # Errors
    /// The same as the operator's [`prepare_backward`](Operator::prepare_backward).
    pub fn prepare_backward(
        &self,
        input: &[usize],
        offset: &[usize],
        mask: Option<&[usize]>,
        modes: Gradients<Mode>,
        mode: Mode,
    ) -> Result<Plan> {
        let modes = Gradients { weight: mode, bias: self.bias().map_or(Mode::Skip, |_| mode), ..modes };
        self.operator.prepare_backward(&self.shapes(input, offset, mask), Dtype::F32, modes, self.options)
    }

    fn shapes<'a>(&'a self, input: &'a [usize], offset: &'a [usize], mask: Option<&'a [usize]>) -> Inputs<&'a [usize]> {
        let bias = self.bias().map(|bias| bias.value().shape());
        Inputs { input, offset, weight: self.weight().value().shape(), mask, bias }
    }

    /// Records [`DeformConv2d::forward`] into the caller's encoder or compute pass, with the caller's output. `inputs`
    /// come from [`DeformConv2d::inputs`].
    ///
    /// # Errors
    /// The same as the operator's [`record_forward`](Operator::record_forward).
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        output: &Tensor,
        workspace: &Tensor,
    ) -> Result<()> {
        self.operator.record_forward(recorder, inputs, output, workspace, self.options)
    }

    /// Records [`DeformConv2d::backward`] into the caller's encoder or compute pass. `inputs` come from
    /// [`DeformConv2d::inputs`].
    ///
    /// # Errors
    /// The same as the operator's [`record_backward`](Operator::record_backward).
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        workspace: &Tensor,
        mode: Mode,
    ) -> Result<()> {
        let targets = self.targets(targets, mode);
        self.operator.record_backward(recorder, inputs, grad_output, &targets, workspace, self.options)
    }

    fn targets<'a>(&'a self, targets: &Gradients<Option<Gradient<'a>>>, mode: Mode) -> Gradients<Option<Gradient<'a>>> {
        let bias = self.bias().and_then(|bias| bias.target(mode));
        Gradients { weight: self.weight().target(mode), bias, ..*targets }
    }

    /// Puts the gradients of input, offset and mask into `targets`, whose weight and bias are ignored. Writes the
    /// gradients of the parameters or adds to them, as `mode` says.
    ///
    /// # Errors
    /// The same as the operator's [`record_backward`](Operator::record_backward).
    pub fn backward(
        &self,
        input: &Tensor,
        offset: &Tensor,
        mask: Option<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        mode: Mode,
    ) -> Result<()> {
        let targets = self.targets(targets, mode);
        self.operator.backward_into(&self.inputs(input, offset, mask), grad_output, &targets, self.options)
    }

    parameter_methods!();
}
