//! Parameters: tensors that are learned.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::state::{State, state_error};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Gpu, Tensor};
use crate::ops::deform_conv2d::{Gradient, Mode};
use crate::ops::optimizer::Variable;

/// A value and its gradient, both f32 and of the same shape. The handle is cheap to clone, and clones share the memory.
#[derive(Debug, Clone)]
pub struct Parameter {
    value: Tensor,
    gradient: Tensor,
}

impl Parameter {
    /// Makes a parameter with these values, in row-major order, and a gradient of zeros.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`].
    pub fn new(gpu: &Gpu, shape: impl AsRef<[usize]>, values: &[f32]) -> Result<Self> {
        let shape = shape.as_ref();
        Ok(Self { value: Tensor::upload(gpu, shape, values)?, gradient: Tensor::new(gpu, shape, Dtype::F32)? })
    }

    /// Makes a parameter whose value and gradient are zeros.
    ///
    /// # Errors
    /// The same as [`Tensor::new`].
    pub fn zeros(gpu: &Gpu, shape: impl AsRef<[usize]>) -> Result<Self> {
        let shape = shape.as_ref();
        let value = Tensor::new(gpu, shape, Dtype::F32)?;
        Ok(Self { value, gradient: Tensor::new(gpu, shape, Dtype::F32)? })
    }

    /// Returns the value.
    #[must_use]
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// Returns the gradient, as the last `backward` left it.
    #[must_use]
    pub fn gradient(&self) -> &Tensor {
        &self.gradient
    }

    /// Returns the parameter as an optimiser's variable.
    #[must_use]
    pub fn variable(&self) -> Variable {
        Variable { value: self.value.clone(), gradient: self.gradient.clone() }
    }

    /// Returns the gradient as the target of an operator, or `None` for [`Mode::Skip`].
    pub(super) fn target(&self, mode: Mode) -> Option<Gradient<'_>> {
        match mode {
            Mode::Skip => None,
            Mode::Write => Some(Gradient::Write(&self.gradient)),
            Mode::Add => Some(Gradient::Add(&self.gradient)),
        }
    }
}

/// The parameters of a convolution: its weight, and its bias if it has one.
#[derive(Debug, Clone)]
pub(super) struct Convolution {
    pub(super) weight: Parameter,
    pub(super) bias: Option<Parameter>,
}

/// A parameter and the values that will be written into it. A layer checks all values before it writes the first.
pub(super) type Write<'a> = (&'a Parameter, Vec<f32>);

impl Convolution {
    pub(super) fn zeros(gpu: &Gpu, shape: [usize; 4], bias: bool) -> Result<Self> {
        let weight = Parameter::zeros(gpu, shape)?;
        let bias = if bias { Some(Parameter::zeros(gpu, &shape[..1])?) } else { None };
        Ok(Self { weight, bias })
    }

    /// Makes parameters with the distribution of torch's convolutions: both are uniform in ±1/√fan_in, with
    /// `fan_in = in_channels/groups · kernel_height · kernel_width`. For the weight this is `kaiming_uniform_(a=√5)`,
    /// which torchvision's `DeformConv2d.reset_parameters` calls. The numbers are equal for equal seeds and versions of
    /// this crate; they differ from torch's.
    pub(super) fn initialized(gpu: &Gpu, shape: [usize; 4], bias: bool, seed: u64) -> Result<Self> {
        // The allocation comes first because it fails for sizes that no device holds.
        let convolution = Self::zeros(gpu, shape, bias)?;
        let fan_in = shape[1..].iter().product::<usize>().max(1);
        let bound = 1.0 / (fan_in as f32).sqrt();
        let mut rng = StdRng::seed_from_u64(seed);
        for parameter in [Some(&convolution.weight), convolution.bias.as_ref()].into_iter().flatten() {
            let count = parameter.value.shape().iter().product();
            let values: Vec<f32> = (0..count).map(|_| rng.random_range(-bound..=bound)).collect();
            parameter.value.write(&values)?;
        }
        Ok(convolution)
    }

    /// Returns the parameters as `{prefix}weight` and `{prefix}bias`.
    pub(super) fn named(&self, prefix: &str) -> Vec<(String, &Parameter)> {
        let bias = self.bias.as_ref().map(|bias| ("bias", bias));
        let named = [("weight", &self.weight)].into_iter().chain(bias);
        named.map(|(name, parameter)| (format!("{prefix}{name}"), parameter)).collect()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn save(&self, state: &mut State, prefix: &str) -> Result<()> {
        self.named(prefix).into_iter().try_for_each(|(name, parameter)| state.store(name, &parameter.value))
    }

    /// Returns the values that `state` holds for the parameters behind `prefix`. A bias in `state` is an error if the
    /// convolution has none.
    pub(super) fn writes<'a>(&'a self, state: &State, prefix: &str) -> Result<Vec<Write<'a>>> {
        let bias = format!("{prefix}bias");
        if self.bias.is_none() && state.tensors.contains_key(&bias) {
            return Err(state_error(format!("{bias} is there, and the layer has no bias")));
        }
        let of = |(name, parameter): (String, &'a Parameter)| {
            Ok((parameter, state.shaped(&name, parameter.value.shape())?.to_vec()))
        };
        self.named(prefix).into_iter().map(of).collect()
    }
}

/// Writes the checked values into their parameters.
pub(super) fn write_all(writes: Vec<Write<'_>>) -> Result<()> {
    writes.into_iter().try_for_each(|(parameter, values)| parameter.value.write(&values))
}

/// The methods of a layer with a field `parameters: Convolution` that give access to it.
macro_rules! parameter_methods {
    () => {
        /// Returns the weight, `[out_channels, in_channels / groups, kernel_height, kernel_width]`.
        #[must_use]
        pub fn weight(&self) -> &crate::layers::parameter::Parameter {
            &self.parameters.weight
        }

        /// Returns the bias, `[out_channels]`, if the layer has one.
        #[must_use]
        pub fn bias(&self) -> Option<&crate::layers::parameter::Parameter> {
            self.parameters.bias.as_ref()
        }

        /// Writes the parameters into `state` as `{prefix}weight` and `{prefix}bias`. Waits for them, so it is not
        /// available on the web.
        ///
        /// # Errors
        /// The same as [`Tensor::download`](crate::Tensor::download).
        #[cfg(not(target_arch = "wasm32"))]
        pub fn save(&self, state: &mut crate::layers::state::State, prefix: &str) -> crate::error::Result<()> {
            self.parameters.save(state, prefix)
        }

        /// Loads the parameters from `state`.
        ///
        /// # Errors
        /// Returns [`Error::State`](crate::Error::State) if a parameter is missing or has another shape, or if `state`
        /// has a bias and the layer has none. Then nothing is changed.
        pub fn load(&self, state: &crate::layers::state::State, prefix: &str) -> crate::error::Result<()> {
            crate::layers::parameter::write_all(self.parameters.writes(state, prefix)?)
        }
    };
}

pub(super) use parameter_methods;
