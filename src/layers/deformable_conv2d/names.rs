//! The layer's parameters in state dicts.

use super::layer::DeformableConv2d;
use crate::error::Result;
use crate::layers::parameter::{Parameter, Write, write_all};
use crate::layers::state::{State, state_error};

/// The conventions by which state dicts name the layer's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Names {
    /// mmcv's `DeformConv2dPack` and `ModulatedDeformConv2dPack`: `weight`, `bias`, and one convolution
    /// `conv_offset.…`. Its output is chunked into (o1, o2, mask), with offset = (o1, o2).
    Mmcv,
    /// CenterNet's `DCN` (of DCNv2): the same as mmcv's, with `conv_offset_mask.…`.
    CenterNet,
    /// BiRefNet's `DeformableConv2d`: `regular_conv.…`, `offset_conv.…`, `modulator_conv.…`.
    BiRefNet,
}

impl Names {
    /// Returns the name of the one convolution that makes offset and mask, if the convention has one.
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

impl DeformableConv2d {
    /// Writes the parameters into `state`, with `prefix` in front of each name. Waits for them, so it is not available
    /// on the web.
    ///
    /// # Errors
    /// The same as [`Tensor::download`](crate::Tensor::download).
    #[cfg(not(target_arch = "wasm32"))]
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

    /// Loads the parameters from `state`, and detects which of the [`Names`] the keys behind `prefix` follow. If
    /// `state` has no bias for the generator, that bias becomes zero.
    ///
    /// # Errors
    /// Returns [`Error::State`](crate::Error::State) if a parameter is missing or has another shape, or if `state` has
    /// one that the layer lacks. Then nothing is changed.
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
        // The first rows of a combined generator make the offset.
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

/// Splits the rows of the tensor of this name among these parameters, in order.
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
