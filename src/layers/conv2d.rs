//! The ordinary convolution as a layer.

use super::parameter::{Convolution, write_all};
use super::{Parameter, State};
use crate::ops::conv2d::{self, Gradients, Inputs, Options};
use crate::ops::deform_conv2d::{DeformConv2d as Operator, Gradient, Mode};
use crate::{Dtype, Result, Tensor};

/// `torch.nn.Conv2d`, with an activation where [`Options::activation`] says so.
#[derive(Debug, Clone)]
pub struct Conv2d {
    operator: conv2d::Conv2d,
    options: Options,
    pub(super) parameters: Convolution,
}

impl Conv2d {
    /// The layer with torch's initialisation: weight and bias uniform in ±1/√fan_in, from `seed`.
    ///
    /// # Errors
    /// As [`Tensor::upload`].
    pub fn new(operator: &Operator, weight_shape: [usize; 4], bias: bool, options: Options, seed: u64) -> Result<Self> {
        let parameters = Convolution::initialized(operator.gpu(), weight_shape, bias, seed)?;
        Ok(Self { operator: conv2d::Conv2d::sharing(operator), options, parameters })
    }

    /// The layer with a weight and a bias of zeros.
    pub(super) fn zeros(operator: &Operator, weight_shape: [usize; 4], bias: bool, options: Options) -> Result<Self> {
        let parameters = Convolution::zeros(operator.gpu(), weight_shape, bias)?;
        Ok(Self { operator: conv2d::Conv2d::sharing(operator), options, parameters })
    }

    fn inputs<'a>(&'a self, input: &'a Tensor) -> Inputs<&'a Tensor> {
        Inputs { input, weight: self.weight().value(), bias: self.bias().map(Parameter::value) }
    }

    /// The output.
    ///
    /// # Errors
    /// As the operator's [`forward`](conv2d::Conv2d::forward).
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.operator.forward(&self.inputs(input), self.options)
    }

    /// The gradient of the input, which is returned, and those of the parameters, which are treated as `mode` says.
    ///
    /// # Errors
    /// As the operator's [`backward`](conv2d::Conv2d::backward).
    pub fn backward(&self, input: &Tensor, output: &Tensor, grad_output: &Tensor, mode: Mode) -> Result<Tensor> {
        let grad_input = Tensor::new(input.gpu(), input.shape(), Dtype::F32)?;
        self.backward_into(input, output, grad_output, Gradient::Write(&grad_input), mode)?;
        Ok(grad_input)
    }

    pub(super) fn backward_into(
        &self,
        input: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        grad_input: Gradient<'_>,
        mode: Mode,
    ) -> Result<()> {
        let targets = Gradients {
            input: Some(grad_input),
            weight: self.weight().target(mode),
            bias: self.bias().and_then(|bias| bias.target(mode)),
        };
        self.operator.backward_into(&self.inputs(input), output, grad_output, &targets, self.options)
    }

    /// `[out_channels, in_channels / groups, kernel_height, kernel_width]`
    #[must_use]
    pub fn weight(&self) -> &Parameter {
        &self.parameters.weight
    }

    /// `[out_channels]`
    #[must_use]
    pub fn bias(&self) -> Option<&Parameter> {
        self.parameters.bias.as_ref()
    }

    /// The parameters with their names.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, &Parameter)> {
        self.parameters.parameters()
    }

    /// Writes the parameters into `state` as `{prefix}weight` and `{prefix}bias`. Waits for them.
    ///
    /// # Errors
    /// As [`Tensor::download`].
    pub fn save(&self, state: &mut State, prefix: &str) -> Result<()> {
        self.parameters.save(state, prefix)
    }

    /// Takes the parameters from `state`.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) where one is missing, has another shape, or is there and the layer has none; then nothing is changed.
    pub fn load(&self, state: &State, prefix: &str) -> Result<()> {
        write_all(self.parameters.writes(state, prefix)?)
    }
}
