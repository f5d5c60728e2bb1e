//! The operator behind deform_conv2d and conv2d: it validates, plans, prepares, binds, records and submits.

use std::fmt;
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
use crate::gpu::{Call, Engine, Expected, Gpu, Packed, Planned, Prepared, Recorder, Tensor};
use crate::kernel::{Sampling, Storage};
use crate::ops::activation::Activation;

/// The key of a prepared call: everything that its plan depends on. A key without gradients is a forward pass.
type Key = (Geometry, Options, Option<Algorithm>, Option<Gradients<Mode>>);

/// The convolution on one device. The handle is cheap to clone, and clones share its calls.
#[derive(Clone)]
pub(in crate::ops) struct Convolution {
    engine: Arc<Engine<Key>>,
    tuning: Arc<Mutex<Tuning>>,
}

/// The operands of a call.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Given<'a> {
    pub(in crate::ops) operands: Operands<&'a Tensor>,
    /// The packed weight, if it was packed before.
    pub(in crate::ops) packed: Option<&'a Packed>,
}

/// A call without a handle: its operands and options.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Task<'a> {
    pub(in crate::ops) given: Given<'a>,
    pub(in crate::ops) activation: Activation,
    pub(in crate::ops) options: Options,
}

/// The gradient of the output of a call, and the output itself if the derivative of an activation needs it.
#[derive(Clone, Copy)]
pub(in crate::ops) struct OutputGradient<'a> {
    pub(in crate::ops) output: Option<&'a Tensor>,
    pub(in crate::ops) grad_output: &'a Tensor,
}

/// The targets of the gradients of a call.
pub(in crate::ops) type Targets<'a> = Gradients<Option<Gradient<'a>>>;

impl Given<'_> {
    fn named(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        self.operands.named().map(|(operand, &tensor)| (operand, tensor))
    }

    pub(in crate::ops) fn call<'b>(&'b self, output: &'b Tensor) -> Call<'b> {
        let operands = self.named().chain([("output", output)]).collect();
        Call { operands, packed: self.packed, ..Call::default() }
    }

    pub(in crate::ops) fn backward_call<'b>(
        &'b self,
        of_output: OutputGradient<'b>,
        targets: &Gradients<Option<&'b Tensor>>,
    ) -> Call<'b> {
        let target = |(operand, target): (Operand, &Option<&'b Tensor>)| Some((operand.gradient_name(), (*target)?));
        let output = of_output.output.map(|output| ("output", output));
        let given = self.named().chain([("grad_output", of_output.grad_output)]).chain(output);
        Call { operands: given.chain(targets.iter().filter_map(target)).collect(), ..Call::default() }
    }
}

impl Convolution {
    pub(in crate::ops) fn new(gpu: &Gpu, tuning: Tuning) -> Self {
        Self { engine: Arc::new(Engine::new(gpu)), tuning: Arc::new(Mutex::new(tuning)) }
    }

    /// Returns an operator with the same measurements that finds only its own calls, and no one else's push them out.
    pub(in crate::ops) fn with_own_calls(&self) -> Self {
        Self { engine: Arc::new(Engine::new(self.gpu())), tuning: Arc::clone(&self.tuning) }
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
        let operands = &task.given.operands;
        let dtype = operands.input.dtype();
        let geometry = self.geometry(operands.map(|tensor| tensor.shape()), dtype, &task.options)?;
        for (operand, tensor) in operands.named() {
            let got = tensor.dtype();
            if got != dtype {
                return Err(Error::Dtype { operand, expected: dtype, got });
            }
        }
        Ok(Geometry { activation: task.activation, ..geometry })
    }

    /// Makes a forward call ready.
    pub(in crate::ops) fn prepare<C>(&self, geometry: Geometry, options: Options) -> Result<Prepared<C>> {
        let tuned = match options.algorithm {
            Algorithm::Auto => self.tuning().get(self.gpu(), &geometry),
            _ => None,
        };
        let planned = || {
            let by = |algorithm| plan(&geometry, &Options { algorithm, ..options }, self.gpu().limits());
            // An algorithm that was tuned with a larger workspace may not fit into this one.
            let plan = tuned.map(by).filter(Result::is_ok).unwrap_or_else(|| by(options.algorithm))?;
            Ok(Planned { plan, operands: forward_operands(&geometry), ..Planned::default() })
        };
        self.engine.prepare(&(geometry, options, tuned, None), planned)
    }

    /// Makes a backward call ready.
    pub(in crate::ops) fn prepare_backward<C>(
        &self,
        geometry: Geometry,
        modes: Gradients<Mode>,
        options: Options,
    ) -> Result<Prepared<C>> {
        for (operand, there) in [(Operand::Mask, geometry.has_mask), (Operand::Bias, geometry.has_bias)] {
            if !there && modes[operand].wanted() {
                return Err(Error::NoSuchOperand { operand: operand.name() });
            }
        }
        let plan = || {
            let plan = plan_backward(&geometry, &modes, &options, self.gpu().limits())?;
            Ok(Planned { plan, operands: backward_operands(&geometry, &modes), ..Planned::default() })
        };
        self.engine.prepare(&(geometry, options, None, Some(modes)), plan)
    }

    /// Returns the call for a task, which the operator keeps.
    fn of_task(&self, task: &Task<'_>) -> Result<(Geometry, Prepared<()>)> {
        let geometry = self.checked_geometry(task)?;
        Ok((geometry, self.engine.keep(self.prepare(geometry, task.options)?)))
    }

    fn of_backward_task(&self, task: &Task<'_>, modes: Gradients<Mode>) -> Result<Prepared<()>> {
        let geometry = self.checked_geometry(task)?;
        Ok(self.engine.keep(self.prepare_backward(geometry, modes, task.options)?))
    }

    /// Computes the output: allocates, records and submits.
    pub(in crate::ops) fn forward(&self, task: &Task<'_>) -> Result<Tensor> {
        let (geometry, prepared) = self.of_task(task)?;
        let output = Tensor::new(self.gpu(), geometry.output_shape(), task.given.operands.input.dtype())?;
        prepared.submit_call(&task.given.call(&output))?;
        Ok(output)
    }

    pub(in crate::ops) fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        task: &Task<'_>,
        output: &Tensor,
    ) -> Result<()> {
        self.of_task(task)?.1.record_call(recorder, &task.given.call(output))
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
            let operand = task.given.operands.get(operand).filter(|_| wanted[operand]);
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
        let prepared = self.of_backward_task(task, targets.modes())?;
        prepared.submit_call(&task.given.backward_call(of_output, &targets.tensors()))
    }

    pub(in crate::ops) fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        task: &Task<'_>,
        of_output: OutputGradient<'_>,
        targets: &Targets<'_>,
    ) -> Result<()> {
        let prepared = self.of_backward_task(task, targets.modes())?;
        prepared.record_call(recorder, &task.given.backward_call(of_output, &targets.tensors()))
    }
}

/// Returns the operands of a call, with the shapes from which its geometry was made.
fn operands(g: &Geometry) -> Vec<(Operand, Vec<usize>)> {
    let taps = g.offset_groups * g.taps();
    let of_taps = |planes: usize| vec![g.batch, planes * taps, g.out_height, g.out_width];
    let offset = (Operand::Offset, of_taps(2));
    let (mask, bias) = ((Operand::Mask, of_taps(1)), (Operand::Bias, vec![g.out_channels]));
    let input = vec![g.batch, g.in_channels, g.in_height, g.in_width];
    let weight = vec![g.out_channels, g.channels_per_group(), g.kernel_height, g.kernel_width];
    let optional = [(g.sampling == Sampling::Deformed, offset), (g.has_mask, mask), (g.has_bias, bias)];
    let optional = optional.into_iter().filter(|(there, _)| *there).map(|(_, operand)| operand);
    [(Operand::Input, input), (Operand::Weight, weight)].into_iter().chain(optional).collect()
}

fn dtype(g: &Geometry) -> Dtype {
    match g.storage {
        Storage::F32 => Dtype::F32,
        Storage::F16 | Storage::PackedF16 => Dtype::F16,
    }
}

fn forward_operands(g: &Geometry) -> Vec<Expected> {
    let dtype = dtype(g);
    let because = "the shape that the call was prepared for";
    let given =
        operands(g).into_iter().map(|(operand, shape)| Expected { operand: operand.name(), shape, dtype, because });
    given.chain([like_output("output", g)]).collect()
}

fn backward_operands(g: &Geometry, modes: &Gradients<Mode>) -> Vec<Expected> {
    let because = "the shape of its operand";
    let wanted = operands(g).into_iter().filter(|(operand, _)| modes[*operand].wanted());
    let targets =
        wanted.map(|(operand, shape)| Expected { operand: operand.gradient_name(), shape, dtype: Dtype::F32, because });
    forward_operands(g).into_iter().chain([like_output("grad_output", g)]).chain(targets).collect()
}

fn like_output(operand: &'static str, g: &Geometry) -> Expected {
    Expected { operand, shape: g.output_shape().to_vec(), dtype: dtype(g), because: "the output's shape" }
}

impl fmt::Debug for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.engine)
    }
}
