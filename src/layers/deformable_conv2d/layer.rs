//! The layer, and its two passes.

use super::options::{DeformableConv2dOptions, Generator, Mask};
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::Tensor;
use crate::layers::conv2d::Conv2d;
use crate::layers::deform_conv2d::DeformConv2d;
use crate::layers::parameter::Parameter;
use crate::ops::conv2d::{self, Activation};
use crate::ops::deform_conv2d::{Algorithm, DeformConv2d as Operator, Gradient, Gradients, Mode, Options};

/// What a forward pass made: the output, and what it was made with.
#[derive(Debug, Clone)]
pub struct Forward {
    /// `[batch, out_channels, out_height, out_width]`
    pub output: Tensor,
    /// `[batch, 2·offset_groups·kernel_height·kernel_width, out_height, out_width]`, in pixels
    pub offset: Tensor,
    /// `[batch, offset_groups·kernel_height·kernel_width, out_height, out_width]`, behind its sigmoid
    pub mask: Option<Tensor>,
}

/// The gradients that a backward pass makes on its way.
#[derive(Debug, Clone)]
pub struct Backward {
    /// Of the input: through the samples and through the generators.
    pub input: Tensor,
    /// Of the offset.
    pub offset: Tensor,
    /// Of the mask.
    pub mask: Option<Tensor>,
}

impl Backward {
    pub(super) fn new(input: &[usize], forward: &Forward) -> Result<Self> {
        let new = |shape: &[usize]| Tensor::new(forward.offset.gpu(), shape, Dtype::F32);
        let mask = forward.mask.as_ref().map(|mask| new(mask.shape())).transpose()?;
        Ok(Self { input: new(input)?, offset: new(forward.offset.shape())?, mask })
    }

    pub(super) fn targets(&self) -> Gradients<Option<Gradient<'_>>> {
        Gradients {
            input: Some(Gradient::Write(&self.input)),
            offset: Some(Gradient::Write(&self.offset)),
            mask: self.mask.as_ref().map(Gradient::Write),
            ..Gradients::default()
        }
    }
}

/// The module that the field's models use: convolutions make offset and mask from the input, and all is learned together.
///
/// ```text
/// offset = offset_conv(input)          mask = σ(mask_conv(input)) or 2·σ(mask_conv(input))
/// output = deform_conv2d(input, offset, weight, mask, bias)
/// ```
///
/// Where a model makes both by one convolution and chunks its output in three, these are the two parts of its rows:
/// [`DeformableConv2d::load`] takes them apart, and [`DeformableConv2d::save`] puts them together. The generator begins with zeros, as in mmcv.
#[derive(Debug, Clone)]
pub struct DeformableConv2d {
    /// Makes the offset: `2·offset_groups·kernel_height·kernel_width` channels.
    pub offset_conv: Conv2d,
    /// Makes the mask: half as many.
    pub mask_conv: Option<Conv2d>,
    /// What they deform.
    pub regular_conv: DeformConv2d,
}

impl DeformableConv2d {
    /// The layer: torchvision's initialisation from `seed`, and generators of zeros.
    ///
    /// # Errors
    /// As [`Tensor::upload`]; [`Error::NotAMultiple`](crate::Error::NotAMultiple) where `groups` does not divide `in_channels`. Other
    /// sizes that do not fit are found by the first call.
    pub fn new(operator: &Operator, options: DeformableConv2dOptions, seed: u64) -> Result<Self> {
        let o = options;
        if o.groups == 0 || !o.in_channels.is_multiple_of(o.groups) {
            let (got, divisor, because) = (o.in_channels, o.groups, "groups");
            return Err(Error::NotAMultiple { operand: "input", axis: 1, got, divisor, because });
        }
        let [height, width] = o.kernel;
        let taps = o.offset_groups.saturating_mul(height).saturating_mul(width);
        let generator = |channels, activation| {
            let [kernel_height, kernel_width] = o.generator.kernel;
            let shape = [channels, o.in_channels, kernel_height, kernel_width];
            let Generator { padding, dilation, .. } = o.generator;
            let Options { stride, workspace_limit, .. } = o.deform;
            // Groups and channels are others than the layer's: so may be the best algorithm.
            let algorithm = Algorithm::Auto;
            let options = conv2d::Options { stride, padding, dilation, activation, algorithm, workspace_limit };
            Conv2d::zeros(operator, shape, true, options)
        };
        let mask_conv = match o.mask {
            Mask::None => None,
            Mask::Sigmoid => Some(generator(taps, Activation::Sigmoid)?),
            Mask::TwiceSigmoid => Some(generator(taps, Activation::TwiceSigmoid)?),
        };
        let shape = [o.out_channels, o.in_channels / o.groups, height, width];
        let regular_conv = DeformConv2d::new(operator, shape, o.bias, o.deform, seed)?;
        Ok(Self { offset_conv: generator(taps.saturating_mul(2), Activation::Identity)?, mask_conv, regular_conv })
    }

    /// The output, the offset and the mask.
    ///
    /// # Errors
    /// As the operators'.
    pub fn forward(&self, input: &Tensor) -> Result<Forward> {
        let offset = self.offset_conv.forward(input)?;
        let mask = self.mask_conv.as_ref().map(|conv| conv.forward(input)).transpose()?;
        let output = self.regular_conv.forward(input, &offset, mask.as_ref())?;
        Ok(Forward { output, offset, mask })
    }

    /// The gradient of the input, through the samples and through the generators, which is returned; those of the parameters are treated as
    /// `mode` says: [`Mode::Skip`] for a layer that does not learn.
    ///
    /// # Errors
    /// As the operators'.
    pub fn backward(&self, input: &Tensor, forward: &Forward, grad_output: &Tensor, mode: Mode) -> Result<Tensor> {
        let Forward { offset, mask, .. } = forward;
        let backward = Backward::new(input.shape(), forward)?;
        self.regular_conv.backward(input, offset, mask.as_ref(), grad_output, &backward.targets(), mode)?;
        let more = Gradient::Add(&backward.input);
        for (conv, made, gradient) in self.generated(forward, &backward) {
            conv.backward_into(input, made, gradient, more, mode)?;
        }
        Ok(backward.input)
    }

    /// The generators, what each made, and its gradient.
    pub(super) fn generated<'a>(
        &'a self,
        forward: &'a Forward,
        backward: &'a Backward,
    ) -> impl Iterator<Item = (&'a Conv2d, &'a Tensor, &'a Tensor)> {
        let mask = self.mask_conv.as_ref().zip(forward.mask.as_ref()).zip(backward.mask.as_ref());
        let offset = (&self.offset_conv, &forward.offset, &backward.offset);
        std::iter::once(offset).chain(mask.map(|((conv, made), gradient)| (conv, made, gradient)))
    }

    /// The parameters of the deformable convolution, with BiRefNet's names.
    #[must_use]
    pub fn regular_parameters(&self) -> Vec<(String, &Parameter)> {
        named("regular_conv.", self.regular_conv.parameters())
    }

    /// Those of the generators: the field's models train them at a lower rate.
    #[must_use]
    pub fn generator_parameters(&self) -> Vec<(String, &Parameter)> {
        let mask = self.mask_conv.iter().flat_map(|conv| named("modulator_conv.", conv.parameters()));
        named("offset_conv.", self.offset_conv.parameters()).into_iter().chain(mask).collect()
    }
}

fn named<'a>(prefix: &str, parameters: Vec<(&'static str, &'a Parameter)>) -> Vec<(String, &'a Parameter)> {
    parameters.into_iter().map(|(name, parameter)| (format!("{prefix}{name}"), parameter)).collect()
}
