//! The layer that makes its own offsets.

use super::parameter::{Write, write_all};
use super::state::state_error;
use super::{Conv2d, DeformConv2d, Parameter, State};
use crate::ops::conv2d::{self, Activation};
use crate::ops::deform_conv2d::{Algorithm, DeformConv2d as Operator, Gradient, Gradients, Mode, Options};
use crate::{Dtype, Result, Tensor};

/// The mask that a layer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mask {
    /// None: deformable convolution v1.
    None,
    /// `σ` of what the generator computes, as mmcv's and CenterNet's: a generator of zeros masks all by half.
    #[default]
    Sigmoid,
    /// `2·σ`, as BiRefNet's: with a generator of zeros the layer is the ordinary convolution.
    TwiceSigmoid,
}

/// The convolutions that make offset and mask, with the layer's stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generator {
    /// Kernel, `[height, width]`.
    pub kernel: [usize; 2],
    /// Rows and columns of zeros on both sides.
    pub padding: [usize; 2],
    /// Input pixels between neighbouring taps.
    pub dilation: [usize; 2],
}

/// What a [`DeformableConv2d`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeformableConv2dOptions {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Kernel, `[height, width]`.
    pub kernel: [usize; 2],
    /// Channels are convolved in so many groups.
    pub groups: usize,
    /// So many groups of input channels have offsets of their own.
    pub offset_groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// The mask.
    pub mask: Mask,
    /// What makes offset and mask. Its output must be as large as the layer's.
    pub generator: Generator,
    /// Stride, padding, dilation, and how the work is done.
    pub deform: Options,
}

impl DeformableConv2dOptions {
    /// A layer of stride 1 whose output is as large as its input (for odd kernels), with a bias and a [`Mask::Sigmoid`], one group of each kind, and a
    /// generator of the same kernel and padding: the article's module.
    #[must_use]
    pub fn new(in_channels: usize, out_channels: usize, kernel: [usize; 2]) -> Self {
        let padding = kernel.map(|size| size / 2);
        Self {
            in_channels,
            out_channels,
            kernel,
            groups: 1,
            offset_groups: 1,
            bias: true,
            mask: Mask::default(),
            generator: Generator { kernel, padding, dilation: [1, 1] },
            deform: Options { padding, ..Options::default() },
        }
    }
}

/// What state dicts call the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// mmcv's `DeformConv2dPack` and `ModulatedDeformConv2dPack`: `weight`, `bias`, and one convolution `conv_offset.…`, whose output in three chunks is
    /// (o1, o2, mask) with offset = (o1, o2).
    Mmcv,
    /// The same with `conv_offset_mask.…`: CenterNet's DCNv2.
    CenterNet,
    /// BiRefNet's `DeformableConv2d`: `regular_conv.…`, `offset_conv.…`, `modulator_conv.…`.
    BiRefNet,
}

impl Names {
    /// The combined generator's name.
    fn combined(self) -> Option<&'static str> {
        match self {
            Self::Mmcv => Some("conv_offset"),
            Self::CenterNet => Some("conv_offset_mask"),
            Self::BiRefNet => None,
        }
    }

    fn regular(self) -> &'static str {
        match self {
            Self::Mmcv | Self::CenterNet => "",
            Self::BiRefNet => "regular_conv.",
        }
    }
}

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
            return Err(crate::Error::NotAMultiple { operand: "input", axis: 1, got, divisor, because });
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
        let new = |like: &Tensor| Tensor::new(like.gpu(), like.shape(), Dtype::F32);
        let (grad_input, grad_offset) = (new(input)?, new(offset)?);
        let grad_mask = mask.as_ref().map(new).transpose()?;
        let targets = Gradients {
            input: Some(Gradient::Write(&grad_input)),
            offset: Some(Gradient::Write(&grad_offset)),
            mask: grad_mask.as_ref().map(Gradient::Write),
            ..Gradients::default()
        };
        self.regular_conv.backward(input, offset, mask.as_ref(), grad_output, &targets, mode)?;
        let more = Gradient::Add(&grad_input);
        self.offset_conv.backward_into(input, offset, &grad_offset, more, mode)?;
        if let (Some(conv), Some(mask), Some(grad_mask)) = (&self.mask_conv, mask, &grad_mask) {
            conv.backward_into(input, mask, grad_mask, more, mode)?;
        }
        Ok(grad_input)
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

    /// Writes the parameters into `state`, each name behind `prefix`. Waits for them.
    ///
    /// # Errors
    /// As [`Tensor::download`].
    pub fn save(&self, state: &mut State, prefix: &str, names: Names) -> Result<()> {
        self.regular_conv.save(state, &format!("{prefix}{}", names.regular()))?;
        let Some(combined) = names.combined() else {
            self.offset_conv.save(state, &format!("{prefix}offset_conv."))?;
            return self.mask_conv.iter().try_for_each(|conv| conv.save(state, &format!("{prefix}modulator_conv.")));
        };
        let combined = format!("{prefix}{combined}.");
        self.offset_conv.save(state, &combined)?;
        let Some(mask_conv) = &self.mask_conv else { return Ok(()) };
        let mut masks = State::default();
        mask_conv.save(&mut masks, &combined)?;
        for (name, mut mask) in masks.tensors {
            if let Some(offset) = state.tensors.get_mut(&name) {
                offset.shape[0] += mask.shape[0];
                offset.values.append(&mut mask.values);
            }
        }
        Ok(())
    }

    /// Takes the parameters from `state`, under whichever of the [`Names`] they are there behind `prefix`. A generator without bias, where
    /// the state has none, gets zeros.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) where one is missing, has another shape, or is there and the layer has none; then nothing is changed.
    pub fn load(&self, state: &State, prefix: &str) -> Result<()> {
        let has = |name: &str| state.tensors.contains_key(&format!("{prefix}{name}.weight"));
        let names =
            [(Names::Mmcv, "conv_offset"), (Names::CenterNet, "conv_offset_mask"), (Names::BiRefNet, "offset_conv")];
        let Some((names, generator)) = names.into_iter().find(|(_, generator)| has(generator)) else {
            let tried = names.map(|(_, generator)| generator).join(", ");
            return Err(state_error(format!("there is no generator of offsets behind {prefix:?} (tried {tried})")));
        };
        let mut writes = self.regular_conv.parameters.writes(state, &format!("{prefix}{}", names.regular()))?;
        let masks = format!("{prefix}modulator_conv.");
        if self.mask_conv.is_none() && state.tensors.contains_key(&format!("{masks}weight")) {
            return Err(state_error(format!("{masks}weight is there, and the layer makes no mask")));
        }
        // A combined generator's rows make offsets first.
        let convs: Vec<_> = [Some(&self.offset_conv), self.mask_conv.as_ref()].into_iter().flatten().collect();
        let tensors = match names.combined() {
            Some(_) => vec![(format!("{prefix}{generator}."), convs)],
            None => convs
                .into_iter()
                .zip([format!("{prefix}{generator}."), masks])
                .map(|(c, name)| (name, vec![c]))
                .collect(),
        };
        for (name, convs) in tensors {
            writes.extend(rows(state, &format!("{name}weight"), convs.iter().map(|conv| conv.weight()).collect())?);
            let biases: Vec<_> = convs.iter().filter_map(|conv| conv.bias()).collect();
            let bias = format!("{name}bias");
            if state.tensors.contains_key(&bias) {
                writes.extend(rows(state, &bias, biases)?);
            } else {
                let zeros = |bias: &Parameter| vec![0.0; bias.value().shape().iter().product()];
                writes.extend(biases.into_iter().map(|bias| (bias, zeros(bias))));
            }
        }
        write_all(writes)
    }
}

/// The tensor of this name, which holds the rows of all these parameters, one behind the other.
fn rows<'a>(state: &State, name: &str, parameters: Vec<&'a Parameter>) -> Result<Vec<Write<'a>>> {
    let mut shape = parameters.first().map_or_else(Vec::new, |first| first.value().shape().to_vec());
    shape.iter_mut().take(1).for_each(|size| *size = parameters.iter().map(|p| p.value().shape()[0]).sum());
    let mut values = state.shaped(name, &shape)?;
    let take = |parameter: &'a Parameter| {
        let (own, rest) = values.split_at(parameter.value().shape().iter().product());
        values = rest;
        (parameter, own.to_vec())
    };
    Ok(parameters.into_iter().map(take).collect())
}

fn named<'a>(prefix: &str, parameters: Vec<(&'static str, &'a Parameter)>) -> Vec<(String, &'a Parameter)> {
    parameters.into_iter().map(|(name, parameter)| (format!("{prefix}{name}"), parameter)).collect()
}
