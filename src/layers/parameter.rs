//! A tensor that learns.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::ops::deform_conv2d::{Gradient, Mode};
use crate::ops::optimizer::Variable;
use crate::{Dtype, Gpu, Result, Tensor};

/// A value and its gradient, of one shape, in f32. A cheap handle; clones share the memory.
#[derive(Debug, Clone)]
pub struct Parameter {
    value: Tensor,
    gradient: Tensor,
}

impl Parameter {
    /// A parameter with these values, row-major, and a gradient of 0.
    ///
    /// # Errors
    /// As [`Tensor::upload`].
    pub fn new(gpu: &Gpu, shape: impl AsRef<[usize]>, values: &[f32]) -> Result<Self> {
        let shape = shape.as_ref();
        Ok(Self { value: Tensor::upload(gpu, shape, values)?, gradient: Tensor::new(gpu, shape, Dtype::F32)? })
    }

    /// A parameter of zeros.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn zeros(gpu: &Gpu, shape: impl AsRef<[usize]>) -> Result<Self> {
        let shape = shape.as_ref();
        let value = Tensor::new(gpu, shape, Dtype::F32)?;
        Ok(Self { value, gradient: Tensor::new(gpu, shape, Dtype::F32)? })
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// The gradient that the last `backward` left.
    #[must_use]
    pub fn gradient(&self) -> &Tensor {
        &self.gradient
    }

    /// What an optimiser changes.
    #[must_use]
    pub fn variable(&self) -> Variable {
        Variable { value: self.value.clone(), gradient: self.gradient.clone() }
    }

    /// Where an operator puts the gradient.
    pub(super) fn target(&self, mode: Mode) -> Option<Gradient<'_>> {
        match mode {
            Mode::Skip => None,
            Mode::Write => Some(Gradient::Write(&self.gradient)),
            Mode::Add => Some(Gradient::Add(&self.gradient)),
        }
    }
}

/// What a weight and bias of torch's convolutions begin with: both uniform in ±1/√fan_in, `fan_in = in_channels/groups · kernel_height ·
/// kernel_width`. That is `kaiming_uniform_(a=√5)` for the weight, which torchvision's `DeformConv2d.reset_parameters` calls, too.
/// The numbers are the same for the same seed and version of this crate; they are not torch's.
pub(super) fn convolution(
    gpu: &Gpu,
    shape: [usize; 4],
    bias: bool,
    seed: u64,
) -> Result<(Parameter, Option<Parameter>)> {
    let fan_in = shape[1..].iter().product::<usize>().max(1);
    let bound = 1.0 / (fan_in as f32).sqrt();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut uniform = |shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|_| rng.random_range(-bound..=bound)).collect();
        Parameter::new(gpu, shape, &values)
    };
    let weight = uniform(&shape)?;
    let bias = if bias { Some(uniform(&shape[..1])?) } else { None };
    Ok((weight, bias))
}
