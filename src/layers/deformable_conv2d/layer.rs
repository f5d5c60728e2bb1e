//! The layer and its two passes.

use super::options::{DeformableConv2dOptions, Generator, Mask};
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Tensor};
use crate::layers::conv2d::{Conv2d, Conv2dOptions};
use crate::layers::deform_conv2d::{DeformConv2d, DeformConv2dOptions};
use crate::layers::layer::Layer;
use crate::layers::parameter::Parameter;
use crate::ops::conv2d::{self, Activation};
use crate::ops::deform_conv2d::{Algorithm, DeformConv2d as Operator, Gradient, Gradients, Mode, Options};

/// The results of a forward pass: the output, and the offset and mask that it was computed with.
#[derive(Debug, Clone)]
pub struct Forward {
    /// `[batch, out_channels, out_height, out_width]`
    pub output: Tensor,
    /// `[batch, 2·offset_groups·kernel_height·kernel_width, out_height, out_width]`, in pixels
    pub offset: Tensor,
    /// `[batch, offset_groups·kernel_height·kernel_width, out_height, out_width]`, after its sigmoid
    pub mask: Option<Tensor>,
}

/// The gradients that a backward pass computes, those of the parameters excluded.
#[derive(Debug, Clone)]
pub struct Backward {
    /// By the input, through the samples and through the generator.
    pub input: Tensor,
    /// By the offset.
    pub offset: Tensor,
    /// By the mask.
    pub mask: Option<Tensor>,
}

impl Backward {
    pub(super) fn new(gpu: &Gpu, input: &[usize], offset: &[usize], mask: Option<&[usize]>) -> Result<Self> {
        let new = |shape: &[usize]| Tensor::new(gpu, shape, Dtype::F32);
        Ok(Self { input: new(input)?, offset: new(offset)?, mask: mask.map(new).transpose()? })
    }

    pub(super) fn tensors(&self) -> Gradients<Option<&Tensor>> {
        let (input, offset, mask) = (Some(&self.input), Some(&self.offset), self.mask.as_ref());
        Gradients { input, offset, mask, ..Gradients::default() }
    }

    pub(super) fn targets(&self) -> Gradients<Option<Gradient<'_>>> {
        self.tensors().map(|tensor| tensor.map(Gradient::Write))
    }
}

/// The deformable convolution as models use it: convolutions make the offset and the mask from the input, and all
/// parameters are learned together.
///
/// ```text
/// offset = offset_conv(input)          mask = σ(mask_conv(input)) or 2·σ(mask_conv(input))
/// output = deform_conv2d(input, offset, weight, mask, bias)
/// ```
///
/// Some models make both by one convolution and chunk its output in three. Its rows are then the rows of `offset_conv`,
/// followed by those of `mask_conv`: [`DeformableConv2d::load`] splits them, and [`DeformableConv2d::save`] joins them.
/// The parameters of the generator start at zero, as in mmcv.
#[derive(Debug, Clone)]
pub struct DeformableConv2d {
    /// The convolution that makes the offset. It has `2·offset_groups·kernel_height·kernel_width` output channels.
    pub offset_conv: Conv2d,
    /// The convolution that makes the mask. It has half as many.
    pub mask_conv: Option<Conv2d>,
    /// The convolution that they deform.
    pub regular_conv: DeformConv2d,
}

impl DeformableConv2d {
    /// Makes a layer with torchvision's initialisation from `seed`, and a generator of zeros.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`], [`Error::Setting`] if `groups` or `offset_groups` is 0, and
    /// [`Error::NotAMultiple`] if `groups` does not divide `in_channels`. Other sizes that do not fit are reported by the first call.
    pub fn new(operator: &Operator, options: DeformableConv2dOptions, seed: u64) -> Result<Self> {
        let DeformableConv2dOptions { in_channels, out_channels, kernel_size, groups, bias, deform, .. } = options;
        let regular = DeformConv2dOptions { in_channels, out_channels, kernel_size, groups, bias, deform };
        let regular_conv = DeformConv2d::new(operator, regular, seed)?;
        if options.offset_groups == 0 {
            return Err(Error::Setting { setting: "offset_groups", got: "0".into(), expected: "at least 1" });
        }
        let [height, width] = kernel_size;
        let taps = options.offset_groups.saturating_mul(height).saturating_mul(width);
        let generator = |channels, activation| {
            let Generator { kernel_size, padding, dilation } = options.generator;
            let Options { stride, workspace_limit, refuse_slow, .. } = deform;
            // The generator has other groups and channels than the layer, so another algorithm may suit it.
            let algorithm = Algorithm::Auto;
            let conv =
                conv2d::Options { stride, padding, dilation, activation, algorithm, workspace_limit, refuse_slow };
            Conv2d::zeros(operator, Conv2dOptions { conv, ..Conv2dOptions::new(in_channels, channels, kernel_size) })
        };
        let mask_conv = match options.mask {
            Mask::None => None,
            Mask::Sigmoid => Some(generator(taps, Activation::Sigmoid)?),
            Mask::TwiceSigmoid => Some(generator(taps, Activation::TwiceSigmoid)?),
        };
        Ok(Self { offset_conv: generator(taps.saturating_mul(2), Activation::Identity)?, mask_conv, regular_conv })
    }

    pub(super) fn gpu(&self) -> &Gpu {
        self.offset_conv.weight().value().gpu()
    }

    /// Computes the output, the offset and the mask.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn forward(&self, input: &Tensor) -> Result<Forward> {
        let offset = self.offset_conv.forward(input)?;
        let mask = self.mask_conv.as_ref().map(|conv| conv.forward(input)).transpose()?;
        let output = self.regular_conv.forward(input, &offset, mask.as_ref())?;
        Ok(Forward { output, offset, mask })
    }

    /// Returns the gradient of the input, through the samples and through the generator. Writes the gradients of the
    /// parameters or adds to them, as `mode` says; it is [`Mode::Skip`] for a layer that does not learn.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn backward(&self, input: &Tensor, forward: &Forward, grad_output: &Tensor, mode: Mode) -> Result<Tensor> {
        let Forward { offset, mask, .. } = forward;
        let backward = Backward::new(input.gpu(), input.shape(), offset.shape(), mask.as_ref().map(Tensor::shape))?;
        self.regular_conv.backward(input, offset, mask.as_ref(), grad_output, &backward.targets(), mode)?;
        let more = Gradient::Add(&backward.input);
        for (conv, made, gradient) in self.generated(forward, &backward) {
            conv.backward_into(input, made, gradient, more, mode)?;
        }
        Ok(backward.input)
    }

    /// Returns the convolutions of the generator, each with its output and the gradient of that.
    pub(super) fn generated<'a>(
        &'a self,
        forward: &'a Forward,
        backward: &'a Backward,
    ) -> impl Iterator<Item = (&'a Conv2d, &'a Tensor, &'a Tensor)> {
        let mask = self.mask_conv.as_ref().zip(forward.mask.as_ref()).zip(backward.mask.as_ref());
        let offset = (&self.offset_conv, &forward.offset, &backward.offset);
        std::iter::once(offset).chain(mask.map(|((conv, made), gradient)| (conv, made, gradient)))
    }

    /// Returns the parameters of the deformable convolution, with BiRefNet's names.
    #[must_use]
    pub fn regular_parameters(&self) -> Vec<(String, &Parameter)> {
        self.regular_conv.parameters.named("regular_conv.")
    }

    /// Returns the parameters of the generator, with BiRefNet's names. Many models train them at a lower learning rate.
    #[must_use]
    pub fn generator_parameters(&self) -> Vec<(String, &Parameter)> {
        let mask = self.mask_conv.iter().flat_map(|conv| conv.parameters.named("modulator_conv."));
        self.offset_conv.parameters.named("offset_conv.").into_iter().chain(mask).collect()
    }
}

impl Layer for DeformableConv2d {
    /// Returns [`DeformableConv2d::regular_parameters`] and [`DeformableConv2d::generator_parameters`].
    fn parameters(&self) -> Vec<(String, &Parameter)> {
        self.regular_parameters().into_iter().chain(self.generator_parameters()).collect()
    }
}
