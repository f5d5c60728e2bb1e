//! The deformable convolution as a layer.

use super::conv2d::group_channels;
use super::layer::Layer;
use super::parameter::{Convolution, Parameter, parameter_methods};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Prepared, Recorder, Tensor};
use crate::ops::deform_conv2d::{
    Backward, DeformConv2d as Operator, Forward, Geometry, Gradient, Gradients, Inputs, Mode, Options,
};

/// torchvision's `DeformConv2d` module. The caller provides the offset, and the mask if there is one.
#[derive(Debug, Clone)]
pub struct DeformConv2d {
    operator: Operator,
    options: Options,
    pub(super) parameters: Convolution,
}

/// The options of a [`DeformConv2d`]. The number of offset groups follows from the offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeformConv2dOptions {
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
    /// Stride, padding, dilation, algorithm and workspace.
    pub deform: Options,
}

impl DeformConv2dOptions {
    /// Returns the options of a layer with torchvision's defaults: stride 1, no padding, one group and a bias.
    #[must_use]
    pub const fn new(in_channels: usize, out_channels: usize, kernel_size: [usize; 2]) -> Self {
        Self { in_channels, out_channels, kernel_size, groups: 1, bias: true, deform: Options::default() }
    }
}

impl DeformConv2d {
    /// Makes a layer with torchvision's initialisation: weight and bias are uniform in ±1/√fan_in, from `seed`.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`], [`Error::Setting`](crate::Error::Setting) if `groups` is 0, and
    /// [`Error::NotAMultiple`](crate::Error::NotAMultiple) if it does not divide `in_channels`.
    pub fn new(operator: &Operator, options: DeformConv2dOptions, seed: u64) -> Result<Self> {
        let DeformConv2dOptions { in_channels, out_channels, kernel_size: [height, width], groups, bias, deform } =
            options;
        let weight = [out_channels, group_channels(in_channels, groups)?, height, width];
        let parameters = Convolution::initialized(operator.gpu(), weight, bias, seed)?;
        Ok(Self { operator: operator.with_own_calls(), options: deform, parameters })
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

    /// Prepares a forward call on operands of these shapes. The call records with [`DeformConv2d::inputs`].
    ///
    /// # Errors
    /// The same as the operator's [`prepare`](Operator::prepare).
    pub fn prepare(&self, input: &[usize], offset: &[usize], mask: Option<&[usize]>) -> Result<Prepared<Forward>> {
        self.operator.prepare(&self.shapes(input, offset, mask), Dtype::F32, self.options)
    }

    /// Prepares a backward call. `modes` says which gradients of input, offset and mask it computes, and `mode` the
    /// same for the parameters. The call records with [`DeformConv2d::inputs`] and [`DeformConv2d::targets`].
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
    ) -> Result<Prepared<Backward>> {
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
    ) -> Result<()> {
        self.operator.record_forward(recorder, inputs, output, self.options)
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
        mode: Mode,
    ) -> Result<()> {
        let targets = self.gradients(targets, mode);
        self.operator.record_backward(recorder, inputs, grad_output, &targets, self.options)
    }

    /// Returns the targets of a backward call: those of the operands in `targets`, whose weight and bias are ignored,
    /// and those of the parameters unless `mode` is [`Mode::Skip`].
    #[must_use]
    pub fn targets<'a>(&'a self, targets: &Gradients<Option<&'a Tensor>>, mode: Mode) -> Gradients<Option<&'a Tensor>> {
        self.gradients(&targets.map(|target| target.map(Gradient::Write)), mode).tensors()
    }

    fn gradients<'a>(
        &'a self,
        targets: &Gradients<Option<Gradient<'a>>>,
        mode: Mode,
    ) -> Gradients<Option<Gradient<'a>>> {
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
        let targets = self.gradients(targets, mode);
        self.operator.backward_into(&self.inputs(input, offset, mask), grad_output, &targets, self.options)
    }

    parameter_methods!();
}

impl Layer for DeformConv2d {
    fn parameters(&self) -> Vec<(String, &Parameter)> {
        self.parameters.named("")
    }
}
