//! The operator behind deform_conv2d and conv2d: it validates, plans, prepares, records and submits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::algorithm::Algorithm;
use super::backward::plan_backward;
use super::forward::plan;
use super::geometry::Geometry;
use super::gradients::{Gradient, Gradients, Mode, Operand};
use super::operands::Operands;
use super::options::Options;
use super::tuning::Tuning;
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::{Call, Engine, Gpu, Packed, Prepared, Recorder, Tensor};
use crate::ops::activation::Activation;
use crate::ops::checks::{check_dtype, check_shape};

/// The key of a prepared plan: everything that the plan depends on. A key without gradients is a forward pass.
type Key = (Geometry, Options, Option<Gradients<Mode>>);

/// The convolution on one device. The handle is cheap to clone, and clones share its plans.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Convolution {
    engine: Arc<Engine<Key>>,
    tuning: Arc<Mutex<Tuning>>,
}

/// A call: its operands and options.
pub(in crate::ops) struct Task<'a> {
    pub(in crate::ops) operands: Operands<&'a Tensor>,
    /// The packed weight, if it was packed before.
    pub(in crate::ops) packed: Option<&'a Packed>,
    pub(in crate::ops) activation: Activation,
    pub(in crate::ops) options: Options,
}

impl<'a> Task<'a> {
    /// Makes a call without an activation, whose weight is not packed yet.
    pub(in crate::ops) fn new(operands: impl Into<Operands<&'a Tensor>>, options: Options) -> Self {
        Self { operands: operands.into(), packed: None, activation: Activation::default(), options }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &'a Tensor)> {
        self.operands.named().map(|(operand, &tensor)| (operand, tensor))
    }

    fn call<'b>(&'b self, output: &'b Tensor) -> Call<'b> {
        let operands = self.named().chain([("output", output)]).collect();
        Call { operands, packed: self.packed, ..Call::default() }
    }
}

/// The gradient of the output of a call, and the output itself if the derivative of an activation needs it.
#[derive(Clone, Copy)]
pub(in crate::ops) struct OutputGradient<'a> {
    pub(in crate::ops) output: Option<&'a Tensor>,
    pub(in crate::ops) grad_output: &'a Tensor,
}

/// The targets of the gradients of a call.
pub(in crate::ops) type Targets<'a> = Gradients<Option<Gradient<'a>>>;

impl Convolution {
    pub(in crate::ops) fn new(gpu: &Gpu, tuning: Tuning) -> Self {
        Self { engine: Arc::new(Engine::new(gpu)), tuning: Arc::new(Mutex::new(tuning)) }
    }

    pub(in crate::ops) fn gpu(&self) -> &Gpu {
        self.engine.gpu()
    }

    pub(in crate::ops) fn tuning(&self) -> MutexGuard<'_, Tuning> {
        self.tuning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Validates shapes and options, and returns the sizes with this device's storage of `dtype`.
    pub(in crate::ops) fn geometry<'s>(
        &self,
        shapes: impl Into<Operands<&'s [usize]>>,
        dtype: Dtype,
        options: &Options,
    ) -> Result<Geometry> {
        Ok(Geometry::new(shapes, options)?.stored(self.gpu().storage(dtype)))
    }

    /// Checks that all operands have one element type, and returns the sizes of the call.
    pub(in crate::ops) fn checked_geometry(&self, task: &Task<'_>) -> Result<Geometry> {
        let operands = &task.operands;
        let dtype = operands.input.dtype();
        let geometry = self.geometry(operands.map(|tensor| tensor.shape()), dtype, &task.options)?;
        operands.named().try_for_each(|(operand, tensor)| check_dtype(operand, tensor, dtype))?;
        Ok(Geometry { activation: task.activation, ..geometry })
    }

    /// Returns the prepared plan of a forward call.
    pub(in crate::ops) fn prepared(&self, geometry: Geometry, options: Options) -> Result<Arc<Prepared>> {
        let prepare = |algorithm| {
            let options = Options { algorithm, ..options };
            self.engine.prepare(&(geometry, options, None), || plan(&geometry, &options, self.gpu().limits()))
        };
        let tuned = match options.algorithm {
            Algorithm::Auto => self.tuning().get(self.gpu(), &geometry),
            _ => None,
        };
        // An algorithm that was tuned with a larger workspace may not fit into this one.
        tuned.map(prepare).filter(Result::is_ok).unwrap_or_else(|| prepare(options.algorithm))
    }

    /// Returns the prepared plan of a backward call.
    pub(in crate::ops) fn prepared_gradients(
        &self,
        geometry: Geometry,
        modes: Gradients<Mode>,
        options: Options,
    ) -> Result<Arc<Prepared>> {
        for (operand, there) in [(Operand::Mask, geometry.has_mask), (Operand::Bias, geometry.has_bias)] {
            if !there && modes[operand].wanted() {
                return Err(Error::NoSuchOperand { operand: operand.name() });
            }
        }
        let plan = || plan_backward(&geometry, &modes, &options, self.gpu().limits());
        self.engine.prepare(&(geometry, options, Some(modes)), plan)
    }

    /// Computes the output: allocates, records and submits.
    pub(in crate::ops) fn forward(&self, task: &Task<'_>) -> Result<Tensor> {
        let geometry = self.checked_geometry(task)?;
        let prepared = self.prepared(geometry, task.options)?;
        let output = Tensor::new(self.gpu(), geometry.output_shape(), task.operands.input.dtype())?;
        self.engine.submit(&prepared, &task.call(&output))?;
        Ok(output)
    }

    pub(in crate::ops) fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        task: &Task<'_>,
        output: &Tensor,
        workspace: &Tensor,
    ) -> Result<()> {
        let geometry = self.checked_geometry(task)?;
        let prepared = self.prepared(geometry, task.options)?;
        check_shape("output", output, &geometry.output_shape(), "the output's shape")?;
        check_dtype("output", output, task.operands.input.dtype())?;
        self.engine.record(&prepared, recorder, &task.call(output), Some(workspace))
    }

    /// Packs a weight and submits.
    pub(in crate::ops) fn pack(&self, prepared: &Prepared, weight: &Tensor) -> Result<Packed> {
        self.engine.pack(prepared, ("weight", weight))
    }

    pub(in crate::ops) fn record_pack<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        prepared: &Prepared,
        weight: &Tensor,
    ) -> Result<Packed> {
        self.engine.record_pack(prepared, recorder, ("weight", weight))
    }

    /// Computes the wanted gradients, except those by operands that the call does not have: allocates, records and
    /// submits.
    pub(in crate::ops) fn backward(
        &self,
        task: &Task<'_>,
        of_output: OutputGradient<'_>,
        wanted: Gradients<bool>,
    ) -> Result<Gradients<Option<Tensor>>> {
        let gradients = Gradients::try_from_fn(|operand| {
            let operand = task.operands.get(operand).filter(|_| wanted[operand]);
            operand.map(|operand| Tensor::new(self.gpu(), operand.shape(), Dtype::F32)).transpose()
        })?;
        // New tensors hold zeros, so the gradients that several steps add up are added to them.
        let written = gradients.map(|gradient| gradient.as_ref().map(Gradient::Write));
        let added = gradients.map(|gradient| gradient.as_ref().map(Gradient::Add));
        let targets = Gradients { offset: written.offset, mask: written.mask, ..added };
        self.backward_into(task, of_output, &targets)?;
        Ok(gradients)
    }

    /// Computes the gradients that have a target, and submits.
    pub(in crate::ops) fn backward_into(
        &self,
        task: &Task<'_>,
        of_output: OutputGradient<'_>,
        targets: &Targets<'_>,
    ) -> Result<()> {
        let prepared = self.checked_backward(task, of_output, targets)?;
        self.engine.submit(&prepared, &backward_call(task, of_output, targets))
    }

    pub(in crate::ops) fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        task: &Task<'_>,
        of_output: OutputGradient<'_>,
        targets: &Targets<'_>,
        workspace: &Tensor,
    ) -> Result<()> {
        let prepared = self.checked_backward(task, of_output, targets)?;
        self.engine.record(&prepared, recorder, &backward_call(task, of_output, targets), Some(workspace))
    }

    fn checked_backward(
        &self,
        task: &Task<'_>,
        of_output: OutputGradient<'_>,
        targets: &Targets<'_>,
    ) -> Result<Arc<Prepared>> {
        let geometry = self.checked_geometry(task)?;
        for (name, tensor) in [("grad_output", Some(of_output.grad_output)), ("output", of_output.output)] {
            let Some(tensor) = tensor else { continue };
            check_shape(name, tensor, &geometry.output_shape(), "the output's shape")?;
            check_dtype(name, tensor, task.operands.input.dtype())?;
        }
        let prepared = self.prepared_gradients(geometry, targets.modes(), task.options)?;
        for (operand, target) in targets.iter() {
            let Some(target) = target else { continue };
            let expected = task.operands.get(operand).ok_or(Error::NoSuchOperand { operand: operand.name() })?;
            let name = operand.gradient_name();
            check_dtype(name, target.tensor(), Dtype::F32)?;
            check_shape(name, target.tensor(), expected.shape(), "the shape of its operand")?;
        }
        Ok(prepared)
    }
}

fn backward_call<'a>(task: &'a Task<'_>, of_output: OutputGradient<'a>, targets: &Targets<'a>) -> Call<'a> {
    let named =
        |(operand, target): (Operand, &Option<Gradient<'a>>)| Some((operand.gradient_name(), (*target)?.tensor()));
    let targets = targets.iter().filter_map(named);
    let output = of_output.output.map(|output| ("output", output));
    let operands = task.named().chain([("grad_output", of_output.grad_output)]).chain(output).chain(targets);
    Call { operands: operands.collect(), ..Call::default() }
}
