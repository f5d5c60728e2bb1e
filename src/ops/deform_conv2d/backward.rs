//! The verbs of the backward pass.

use std::sync::Arc;

use super::{DeformConv2d, Geometry, Gradient, Gradients, Inputs, Mode, Operands, Options, Task, plan_backward};
use crate::gpu::{Call, Prepared, Recorder};
use crate::ops::{check_dtype, check_shape};
use crate::plan::Plan;
use crate::{Dtype, Error, Result, Tensor};

/// The names by which plans mean the gradients, in the order of [`Gradients::named`].
const GRADIENTS: [&str; 5] = ["grad_input", "grad_offset", "grad_weight", "grad_mask", "grad_bias"];

impl DeformConv2d {
    /// Computes the gradients of a loss by the operands, given its gradient by the output: allocates those that are wanted, records
    /// and submits. Does not wait.
    ///
    /// ```text
    /// grad_bias[o]  = Σ_{b,oy,ox} grad_output            grad_weight = grad_output · columnᵀ
    /// grad_column   = weightᵀ · grad_output              grad_mask   = Σ_{c in offset group} grad_column · sample
    /// grad_offset_y = Σ_{c in offset group} mask · grad_column · ∂sample/∂y                          grad_offset_x alike
    /// grad_input    = mask · grad_column, scattered to the four corners with the bilinear weights
    /// ```
    ///
    /// `∂sample/∂y` is the right-hand derivative at whole positions; at exactly −1 it is as [`Options::border_gradient`] says. A tap
    /// whose offset is not finite has gradients of 0. Every sum runs in one order: the same call on the same device gives
    /// the same bits. `grad_output` has the output's shape and the operands' element type; gradients are f32.
    /// Those by a mask and a bias that the call does not have are `None`, wanted or not.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`] and [`plan_backward`], and for `grad_output` as for an operand.
    pub fn backward(
        &self,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        wanted: Gradients<bool>,
        options: Options,
    ) -> Result<Gradients<Option<Tensor>>> {
        self.run_backward(&Task::of((*inputs).into(), options), None, grad_output, wanted)
    }

    /// Computes the gradients that have a target, into that: records and submits with a workspace of the operator's own. Does not wait.
    ///
    /// # Errors
    /// As [`DeformConv2d::record_backward`].
    pub fn backward_into(
        &self,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        options: Options,
    ) -> Result<()> {
        self.submit_backward(&Task::of((*inputs).into(), options), None, grad_output, targets)
    }

    /// Records [`DeformConv2d::backward`] into the caller's encoder or compute pass: no allocation of device memory, no submission, no wait.
    ///
    /// The gradients that have a target are computed, and written to it or added to what is there. `workspace` is scratch of at
    /// least [`DeformConv2d::prepare_backward`]'s `workspace_bytes`. No target, nor the workspace, may share a buffer with anything
    /// else. Otherwise as [`DeformConv2d::record_forward`].
    ///
    /// # Errors
    /// As [`DeformConv2d::backward`]; [`Error::NoSuchOperand`] for a target of the mask or the bias where there is none;
    /// [`Error::Axis`] and [`Error::Dtype`] for a target that is not f32 of its operand's shape; [`Error::WorkspaceTooSmall`];
    /// [`Error::Aliased`].
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        workspace: &Tensor,
        options: Options,
    ) -> Result<()> {
        let task = Task::of((*inputs).into(), options);
        self.record_backward_of(recorder, &task, None, grad_output, targets, workspace)
    }

    /// Plans the backward pass of a call of these shapes, compiles what it needs and uploads its uniforms, so that recording it does
    /// none of that. The plan tells the workspace it needs.
    ///
    /// # Errors
    /// As [`Geometry::new`] and [`plan_backward`]; [`Error::NoSuchOperand`]; [`Error::Device`] where a kernel does not compile.
    pub fn prepare_backward(
        &self,
        shapes: &Inputs<&[usize]>,
        dtype: Dtype,
        modes: Gradients<Mode>,
        options: Options,
    ) -> Result<Plan> {
        let geometry = self.geometry(&Operands::from(*shapes), dtype, &options)?;
        Ok(self.prepared_gradients(geometry, modes, options)?.plan().clone())
    }

    /// [`DeformConv2d::backward`] of any convolution; with the output behind its activation, where it has one.
    pub(in crate::ops) fn run_backward(
        &self,
        task: &Task<'_>,
        output: Option<&Tensor>,
        grad_output: &Tensor,
        wanted: Gradients<bool>,
    ) -> Result<Gradients<Option<Tensor>>> {
        let operands = &task.operands;
        let operands = Gradients {
            input: Some(operands.input),
            offset: operands.offset,
            weight: Some(operands.weight),
            mask: operands.mask,
            bias: operands.bias,
        };
        let wanted = wanted.zip(&operands, |wanted, operand| operand.filter(|_| *wanted));
        let new = |operand: &Option<&Tensor>| {
            operand.map(|operand| Tensor::new(self.engine.gpu(), operand.shape(), Dtype::F32)).transpose()
        };
        let gradients = wanted.try_map(new)?;
        // New tensors hold zeros: those gradients that several steps add up need no others.
        let written = gradients.map(|gradient| gradient.as_ref().map(Gradient::Write));
        let added = gradients.map(|gradient| gradient.as_ref().map(Gradient::Add));
        let targets = Gradients { offset: written.offset, mask: written.mask, ..added };
        self.submit_backward(task, output, grad_output, &targets)?;
        Ok(gradients)
    }

    /// [`DeformConv2d::backward_into`] of any convolution.
    pub(in crate::ops) fn submit_backward(
        &self,
        task: &Task<'_>,
        output: Option<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
    ) -> Result<()> {
        let prepared = self.checked_backward(task, output, grad_output, targets)?;
        self.engine.submit(&prepared, &backward_call(task, output, grad_output, targets))
    }

    /// [`DeformConv2d::record_backward`] of any convolution.
    pub(in crate::ops) fn record_backward_of<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        task: &Task<'_>,
        output: Option<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        workspace: &Tensor,
    ) -> Result<()> {
        let prepared = self.checked_backward(task, output, grad_output, targets)?;
        self.engine.record(&prepared, recorder, &backward_call(task, output, grad_output, targets), Some(workspace))
    }

    fn checked_backward(
        &self,
        task: &Task<'_>,
        output: Option<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
    ) -> Result<Arc<Prepared>> {
        let geometry = self.checked_geometry(task)?;
        for (name, tensor) in [("grad_output", Some(grad_output)), ("output", output)] {
            let Some(tensor) = tensor else { continue };
            check_shape(name, tensor, &geometry.output_shape(), "the output's shape")?;
            check_dtype(name, tensor, task.operands.input.dtype())?;
        }
        let prepared = self.prepared_gradients(geometry, targets.modes(), task.options)?;
        for ((operand, target), name) in targets.named().into_iter().zip(GRADIENTS) {
            let Some(target) = target else { continue };
            let mut named = task.named().filter(|(name, _)| *name == operand);
            let (_, expected) = named.next().ok_or(Error::NoSuchOperand { operand })?;
            check_dtype(name, target.tensor(), Dtype::F32)?;
            check_shape(name, target.tensor(), expected.shape(), "the shape of its operand")?;
        }
        Ok(prepared)
    }

    pub(in crate::ops) fn prepared_gradients(
        &self,
        geometry: Geometry,
        modes: Gradients<Mode>,
        options: Options,
    ) -> Result<Arc<Prepared>> {
        for (operand, there, mode) in [("mask", geometry.has_mask, modes.mask), ("bias", geometry.has_bias, modes.bias)]
        {
            if !there && mode.wanted() {
                return Err(Error::NoSuchOperand { operand });
            }
        }
        let limits = self.engine.gpu().limits();
        let plan = || plan_backward(&geometry, &modes, &options, limits);
        self.engine.prepare(&(geometry, options, Some(modes)), plan)
    }
}

fn backward_call<'a>(
    task: &'a Task<'_>,
    output: Option<&'a Tensor>,
    grad_output: &'a Tensor,
    targets: &Gradients<Option<Gradient<'a>>>,
) -> Call<'a> {
    let targets = targets.named().into_iter().zip(GRADIENTS);
    let targets = targets.filter_map(|((_, target), name)| Some((name, target.as_ref()?.tensor())));
    let output = output.map(|output| ("output", output));
    let operands = task.named().chain([("grad_output", grad_output)]).chain(output).chain(targets);
    Call { operands: operands.collect(), ..Call::default() }
}
