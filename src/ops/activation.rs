//! Elementwise activations and their gradients. [`conv2d`](crate::ops::conv2d) has them as a part of its plan.

use std::ops::Range;

use super::checks::{check_dtype, check_shape};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Call, Engine, Gpu, Tensor};
use crate::kernel::Storage;
use crate::kernel::activation::{activate, grad_activation};
use crate::kernel::shared::activation_kinds;
use crate::plan::{DeviceLimits, Len, Plan, Step, split};

/// A function that is applied to each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// `v`
    #[default]
    Identity,
    /// `max(v, 0)`
    Relu,
    /// `σ(v) = 1 / (1 + e^−v)`, which makes masks in 0 … 1.
    Sigmoid,
    /// `2·σ(v)`, which makes masks in 0 … 2. It is 1 for `v` = 0, so a generator of zeros masks nothing.
    TwiceSigmoid,
}

impl Activation {
    /// Returns the value of the kernels' parameter `kind`.
    pub(in crate::ops) fn kind(self) -> u64 {
        match self {
            Self::Identity => activation_kinds::IDENTITY,
            Self::Relu => activation_kinds::RELU,
            Self::Sigmoid => activation_kinds::SIGMOID,
            Self::TwiceSigmoid => activation_kinds::TWICE_SIGMOID,
        }
    }

    /// Plans the activation of elements of `output`, in place. The identity needs no step.
    pub(in crate::ops) fn step(
        self,
        limits: &DeviceLimits,
        storage: Storage,
        elements: Range<u64>,
    ) -> Result<Option<Step>> {
        if self == Self::Identity {
            return Ok(None);
        }
        let count = elements.len();
        let (output, output_base) = limits.operand_window(storage, "output", elements.start, count);
        let params = activate::Params { elements: count, kind: self.kind(), output_base };
        let workgroups = activate::KERNEL.workgroups(count);
        limits.step(&activate::KERNEL, storage, params, vec![output], workgroups).map(Some)
    }

    /// Plans `grad_linear` from the same elements of `output` and `grad_output`.
    fn grad_step(self, limits: &DeviceLimits, storage: Storage, elements: Range<u64>) -> Result<Step> {
        let count = elements.len();
        let window = |operand| limits.operand_window(storage, operand, elements.start, count);
        let ((output, output_base), (grad_output, grad_output_base)) = (window("output"), window("grad_output"));
        let (grad_linear, grad_linear_base) = limits.window("grad_linear", elements.start, count);
        let params = grad_activation::Params {
            elements: count,
            kind: self.kind(),
            output_base,
            grad_output_base,
            grad_linear_base,
        };
        let workgroups = grad_activation::KERNEL.workgroups(count);
        limits.step(&grad_activation::KERNEL, storage, params, vec![output, grad_output, grad_linear], workgroups)
    }
}

/// The operator on one device.
#[derive(Debug)]
pub struct Activate {
    engine: Engine<(usize, Storage, Activation, bool)>,
}

impl Activate {
    /// Makes the operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { engine: Engine::new(gpu) }
    }

    /// Applies the activation to every element of `tensor`, in place. Does not wait.
    ///
    /// # Errors
    /// Returns [`Error::OtherDevice`](crate::Error::OtherDevice) or [`Error::Device`](crate::Error::Device).
    pub fn forward(&self, tensor: &Tensor, activation: Activation) -> Result<()> {
        let (elements, storage, limits) = self.sizes(tensor);
        let plan = || {
            let parts = split(0..elements as u64, limits.max_operand_elements(storage));
            let steps = parts.filter_map(|part| activation.step(limits, storage, part).transpose());
            Ok(Plan { steps: steps.collect::<Result<_>>()?, ..Plan::default() })
        };
        let prepared = self.engine.prepare(&(elements, storage, activation, false), plan)?;
        self.engine.submit(&prepared, &Call { operands: vec![("output", tensor)], ..Call::default() })
    }

    /// Computes the gradient of the activation's input, in f32, from its output and the gradient of its output. Does
    /// not wait.
    ///
    /// # Errors
    /// Returns [`Error::Rank`](crate::Error::Rank), [`Error::Axis`](crate::Error::Axis) or
    /// [`Error::Dtype`](crate::Error::Dtype) if the shapes or element types differ,
    /// [`Error::OtherDevice`](crate::Error::OtherDevice), or [`Error::Device`](crate::Error::Device).
    pub fn backward(&self, output: &Tensor, grad_output: &Tensor, activation: Activation) -> Result<Tensor> {
        check_shape("grad_output", grad_output, output.shape(), "the output's shape")?;
        check_dtype("grad_output", grad_output, output.dtype())?;
        let (elements, storage, limits) = self.sizes(output);
        let plan = || {
            let most = limits.max_operand_elements(storage).min(limits.max_window_elements());
            let steps = split(0..elements as u64, most).map(|part| activation.grad_step(limits, storage, part));
            Ok(Plan { steps: steps.collect::<Result<_>>()?, ..Plan::default() })
        };
        let prepared = self.engine.prepare(&(elements, storage, activation, true), plan)?;
        let gradient = Tensor::new(self.engine.gpu(), output.shape(), Dtype::F32)?;
        let operands = vec![("output", output), ("grad_output", grad_output), ("grad_linear", &gradient)];
        self.engine.submit(&prepared, &Call { operands, ..Call::default() })?;
        Ok(gradient)
    }

    fn sizes(&self, tensor: &Tensor) -> (usize, Storage, &DeviceLimits) {
        let gpu = self.engine.gpu();
        (tensor.shape().iter().product(), gpu.storage(tensor.dtype()), gpu.limits())
    }
}
