//! The operator's prepared calls.

use super::inputs::{Inputs, PackedWeight, Weight, given, of_output};
use crate::error::Result;
use crate::gpu::{Bound, Prepared, Recorder, Tensor};
use crate::ops::convolution::Gradients;

/// The forward call of [`DeformConv2d`](super::DeformConv2d), as a [`Prepared`].
#[derive(Debug)]
pub enum Forward {}

/// The backward call of [`DeformConv2d`](super::DeformConv2d), as a [`Prepared`].
#[derive(Debug)]
pub enum Backward {}

impl Prepared<Forward> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait.
    ///
    /// # Errors
    /// Returns [`Error::Rank`](crate::Error::Rank), [`Error::Axis`](crate::Error::Axis) or
    /// [`Error::Dtype`](crate::Error::Dtype) if an operand has another shape or element type than the prepared one,
    /// [`Error::MissingOperand`](crate::Error::MissingOperand),
    /// [`Error::UnknownOperand`](crate::Error::UnknownOperand), [`Error::OtherDevice`](crate::Error::OtherDevice),
    /// [`Error::Aliased`](crate::Error::Aliased), or [`Error::Device`](crate::Error::Device).
    pub fn record<'a, 'r, 'pass: 'r, W>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&'a Tensor, W>,
        output: &'a Tensor,
    ) -> Result<()>
    where
        W: Copy + Into<Weight<'a>>,
    {
        self.record_call(recorder, &given(inputs).call(output))
    }

    /// Binds the operands of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn bind<'a, W>(&self, inputs: &Inputs<&'a Tensor, W>, output: &'a Tensor) -> Result<Bound>
    where
        W: Copy + Into<Weight<'a>>,
    {
        self.bind_call(&given(inputs).call(output))
    }

    /// Packs a weight for this call and for others that pack it in the same way, and submits. Such calls do not pack it
    /// again.
    ///
    /// After a write to the tensor the weight must be packed again: calls that use the packed weight see the old
    /// values, and calls whose algorithm needs no packing, or another one, see the new.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn pack_weight(&self, weight: &Tensor) -> Result<PackedWeight> {
        Ok(PackedWeight::new(weight, self.pack(("weight", weight))?))
    }

    /// Records [`Prepared::pack_weight`] into the caller's encoder or compute pass. Allocates and returns the packed
    /// weight, which is ready once the encoder is submitted.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn record_pack_weight<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        weight: &Tensor,
    ) -> Result<PackedWeight> {
        Ok(PackedWeight::new(weight, self.record_pack(recorder, ("weight", weight))?))
    }
}

impl Prepared<Backward> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait. Every gradient of the
    /// prepared call has a target, whose mode was prepared.
    ///
    /// # Errors
    /// The same as those of the forward call's `record`.
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<&Tensor>>,
    ) -> Result<()> {
        self.record_call(recorder, &given(inputs).backward_call(of_output(grad_output), targets))
    }

    /// Binds the operands of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as those of the forward call's `record`.
    pub fn bind(
        &self,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<&Tensor>>,
    ) -> Result<Bound> {
        self.bind_call(&given(inputs).backward_call(of_output(grad_output), targets))
    }
}
