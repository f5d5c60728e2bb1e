//! Elementwise activations and their gradients. [`conv2d`](crate::ops::conv2d) has them as a part of its plan.

use std::ops::Range;
use std::sync::Arc;

use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Bound, Call, Engine, Expected, Gpu, Planned, Prepared, Recorder, Tensor};
use crate::kernel::Storage;
use crate::kernel::activation::{activate, grad_activation};
use crate::kernel::shared::activation_kinds;
use crate::plan::{DeviceLimits, Len, Plan, Step, check_shape, split};

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

    /// Plans the activation of `output`, in place, after the steps of `plan`. The identity needs no step.
    pub(in crate::ops) fn push_steps(
        self,
        plan: &mut Plan,
        limits: &DeviceLimits,
        storage: Storage,
        elements: u64,
    ) -> Result<()> {
        if self == Self::Identity {
            return Ok(());
        }
        for part in split(0..elements, limits.max_operand_elements(storage)) {
            let count = part.len();
            let (output, output_base) = limits.operand_window(storage, "output", part.start, count);
            let params = activate::Params { elements: count, kind: self.kind(), output_base };
            let workgroups = activate::KERNEL.workgroups(count);
            plan.push(limits.step(&activate::KERNEL, storage, params, vec![output], workgroups)?)?;
        }
        Ok(())
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

/// The key of a call: the shape, the tensor's storage, the activation and the pass.
type Key = (Vec<usize>, Storage, Activation, Pass);

/// The operator on one device. The handle is cheap to clone.
#[derive(Debug, Clone)]
pub struct Activate {
    engine: Arc<Engine<Key>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pass {
    Forward,
    Backward,
}

impl Activate {
    /// Makes the operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { engine: Arc::new(Engine::new(gpu)) }
    }

    /// Applies the activation to every element of `tensor`, in place. Does not wait.
    ///
    /// # Errors
    /// Returns [`Error::OtherDevice`](crate::Error::OtherDevice) or [`Error::Device`](crate::Error::Device).
    pub fn forward(&self, tensor: &Tensor, activation: Activation) -> Result<()> {
        self.kept(tensor, activation)?.submit_call(&forward_call(tensor))
    }

    /// Records [`Activate::forward`] into the caller's encoder or compute pass. Does not submit or wait. Prepares the
    /// call if no handle for it lives and the operator has not kept it.
    ///
    /// # Errors
    /// The same as [`Activate::forward`].
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        tensor: &Tensor,
        activation: Activation,
    ) -> Result<()> {
        self.kept(tensor, activation)?.record_call(recorder, &forward_call(tensor))
    }

    /// Prepares a forward call on a tensor of this shape and this element type.
    ///
    /// # Errors
    /// Returns [`Error::TooLarge`](crate::Error::TooLarge) for a shape that no device holds,
    /// [`Error::TooManySteps`](crate::Error::TooManySteps), or [`Error::Device`](crate::Error::Device).
    pub fn prepare(&self, shape: &[usize], dtype: Dtype, activation: Activation) -> Result<Prepared<Forward>> {
        let (storage, limits) = (self.engine.gpu().storage(dtype), self.engine.gpu().limits());
        let plan = || {
            let mut plan = Plan::default();
            activation.push_steps(&mut plan, limits, storage, check_shape("output", shape)?)?;
            Ok(Planned { plan, operands: vec![like("output", shape, dtype)], ..Planned::default() })
        };
        self.engine.prepare(&(shape.to_vec(), storage, activation, Pass::Forward), plan)
    }

    /// Computes the gradient of the activation's input, in f32, from its output and the gradient of its output. Does
    /// not wait.
    ///
    /// # Errors
    /// Returns [`Error::Rank`](crate::Error::Rank), [`Error::Axis`](crate::Error::Axis) or
    /// [`Error::Dtype`](crate::Error::Dtype) if the shapes or element types differ,
    /// [`Error::OtherDevice`](crate::Error::OtherDevice), or [`Error::Device`](crate::Error::Device).
    pub fn backward(&self, output: &Tensor, grad_output: &Tensor, activation: Activation) -> Result<Tensor> {
        let prepared = self.kept_backward(output, activation)?;
        let gradient = Tensor::new(self.engine.gpu(), output.shape(), Dtype::F32)?;
        prepared.submit_call(&backward_call(output, grad_output, &gradient))?;
        Ok(gradient)
    }

    /// Records [`Activate::backward`] into the caller's encoder or compute pass, with the caller's f32 tensor for the
    /// gradient. Does not submit or wait.
    ///
    /// # Errors
    /// The same as [`Activate::backward`], and [`Error::Aliased`](crate::Error::Aliased).
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        output: &Tensor,
        grad_output: &Tensor,
        grad_input: &Tensor,
        activation: Activation,
    ) -> Result<()> {
        let call = backward_call(output, grad_output, grad_input);
        self.kept_backward(output, activation)?.record_call(recorder, &call)
    }

    /// Prepares a backward call on tensors of this shape, `output` and `grad_output` of this element type.
    ///
    /// # Errors
    /// The same as [`Activate::prepare`].
    pub fn prepare_backward(
        &self,
        shape: &[usize],
        dtype: Dtype,
        activation: Activation,
    ) -> Result<Prepared<Backward>> {
        let (storage, limits) = (self.engine.gpu().storage(dtype), self.engine.gpu().limits());
        let plan = || {
            let most = limits.max_operand_elements(storage).min(limits.max_window_elements());
            let mut plan = Plan::default();
            for part in split(0..check_shape("output", shape)?, most) {
                plan.push(activation.grad_step(limits, storage, part)?)?;
            }
            let operands = [("output", dtype), ("grad_output", dtype), ("grad_linear", Dtype::F32)];
            let operands = operands.map(|(operand, dtype)| like(operand, shape, dtype)).into();
            Ok(Planned { plan, operands, ..Planned::default() })
        };
        self.engine.prepare(&(shape.to_vec(), storage, activation, Pass::Backward), plan)
    }

    fn kept(&self, tensor: &Tensor, activation: Activation) -> Result<Prepared<Forward>> {
        Ok(self.engine.keep(self.prepare(tensor.shape(), tensor.dtype(), activation)?))
    }

    fn kept_backward(&self, output: &Tensor, activation: Activation) -> Result<Prepared<Backward>> {
        Ok(self.engine.keep(self.prepare_backward(output.shape(), output.dtype(), activation)?))
    }
}

/// The forward call of [`Activate`], as a [`Prepared`].
#[derive(Debug)]
pub enum Forward {}

/// The backward call of [`Activate`], as a [`Prepared`].
#[derive(Debug)]
pub enum Backward {}

impl Prepared<Forward> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait.
    ///
    /// # Errors
    /// Returns [`Error::Rank`](crate::Error::Rank), [`Error::Axis`](crate::Error::Axis) or
    /// [`Error::Dtype`](crate::Error::Dtype) for a tensor of another shape or element type than the prepared one,
    /// [`Error::OtherDevice`](crate::Error::OtherDevice), or [`Error::Device`](crate::Error::Device).
    pub fn record<'r, 'pass: 'r>(&self, recorder: impl Into<Recorder<'r, 'pass>>, tensor: &Tensor) -> Result<()> {
        self.record_call(recorder, &forward_call(tensor))
    }

    /// Binds the tensor of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn bind(&self, tensor: &Tensor) -> Result<Bound> {
        self.bind_call(&forward_call(tensor))
    }
}

impl Prepared<Backward> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait.
    ///
    /// # Errors
    /// The same as those of the forward call's `record`, and [`Error::Aliased`](crate::Error::Aliased).
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        output: &Tensor,
        grad_output: &Tensor,
        grad_input: &Tensor,
    ) -> Result<()> {
        self.record_call(recorder, &backward_call(output, grad_output, grad_input))
    }

    /// Binds the tensors of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn bind(&self, output: &Tensor, grad_output: &Tensor, grad_input: &Tensor) -> Result<Bound> {
        self.bind_call(&backward_call(output, grad_output, grad_input))
    }
}

fn forward_call(tensor: &Tensor) -> Call<'_> {
    Call { operands: vec![("output", tensor)], ..Call::default() }
}

fn backward_call<'a>(output: &'a Tensor, grad_output: &'a Tensor, grad_input: &'a Tensor) -> Call<'a> {
    let operands = vec![("output", output), ("grad_output", grad_output), ("grad_linear", grad_input)];
    Call { operands, ..Call::default() }
}

fn like(operand: &'static str, shape: &[usize], dtype: Dtype) -> Expected {
    Expected { operand, shape: shape.to_vec(), dtype, because: "the output's shape" }
}
