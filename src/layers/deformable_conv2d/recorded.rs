//! The layer in a caller's encoder or compute pass.

use super::layer::{Backward, DeformableConv2d, Forward};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Recorder, Tensor};
use crate::ops::deform_conv2d::{Gradient, Gradients, Mode};
use crate::plan::Plan;

impl DeformableConv2d {
    /// Plans a forward call on an input of this shape and allocates its results, so that recording it allocates
    /// nothing. Returns the results and the bytes of the workspace.
    ///
    /// # Errors
    /// The same as [`DeformableConv2d::forward`].
    pub fn prepare_forward(&self, input: &[usize]) -> Result<(Forward, u64)> {
        let new = |shape: [usize; 4]| Tensor::new(self.regular_conv.weight().value().gpu(), shape, Dtype::F32);
        let offset = new(self.offset_conv.output_shape(input)?)?;
        let mask = self.mask_conv.as_ref().map(|conv| new(conv.output_shape(input)?)).transpose()?;
        let shapes = (input, offset.shape(), mask.as_ref().map(Tensor::shape));
        let output = new(self.regular_conv.output_shape(shapes.0, shapes.1, shapes.2)?)?;
        let plans = [
            Some(self.offset_conv.prepare_forward(input)?),
            self.mask_conv.as_ref().map(|conv| conv.prepare_forward(input)).transpose()?,
            Some(self.regular_conv.prepare_forward(shapes.0, shapes.1, shapes.2)?),
        ];
        Ok((Forward { output, offset, mask }, largest_workspace(plans)))
    }

    /// Plans a backward call and allocates its results, so that recording it allocates nothing. Returns the results and
    /// the bytes of the workspace.
    ///
    /// # Errors
    /// The same as [`DeformableConv2d::backward`].
    pub fn prepare_backward(&self, input: &[usize], forward: &Forward, mode: Mode) -> Result<(Backward, u64)> {
        let Forward { offset, mask, .. } = forward;
        let backward = Backward::new(input, forward)?;
        let modes = Gradients {
            input: Mode::Write,
            offset: Mode::Write,
            mask: mask.as_ref().map_or(Mode::Skip, |_| Mode::Write),
            ..Gradients::default()
        };
        let mask = mask.as_ref().map(Tensor::shape);
        let plans = [
            Some(self.regular_conv.prepare_backward(input, offset.shape(), mask, modes, mode)?),
            Some(self.offset_conv.prepare_backward(input, Mode::Add, mode)?),
            self.mask_conv.as_ref().map(|conv| conv.prepare_backward(input, Mode::Add, mode)).transpose()?,
        ];
        Ok((backward, largest_workspace(plans)))
    }

    /// Records [`DeformableConv2d::forward`] into the caller's encoder or compute pass.
    /// [`DeformableConv2d::prepare_forward`] allocates `forward`.
    ///
    /// # Errors
    /// The same as the operators' methods.
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        forward: &Forward,
        workspace: &Tensor,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        let Forward { output, offset, mask } = forward;
        self.offset_conv.record_forward(recorder.reborrow(), input, offset, workspace)?;
        if let (Some(conv), Some(mask)) = (&self.mask_conv, mask) {
            conv.record_forward(recorder.reborrow(), input, mask, workspace)?;
        }
        let inputs = self.regular_conv.inputs(input, offset, mask.as_ref());
        self.regular_conv.record_forward(recorder, &inputs, output, workspace)
    }

    /// Records [`DeformableConv2d::backward`] into the caller's encoder or compute pass.
    /// [`DeformableConv2d::prepare_backward`] allocates `backward`.
    ///
    /// # Errors
    /// The same as the operators' methods.
    #[allow(clippy::too_many_arguments, reason = "the operands and results of both passes")]
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        forward: &Forward,
        grad_output: &Tensor,
        backward: &Backward,
        workspace: &Tensor,
        mode: Mode,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        let Forward { offset, mask, .. } = forward;
        let inputs = self.regular_conv.inputs(input, offset, mask.as_ref());
        let targets = backward.targets();
        self.regular_conv.record_backward(recorder.reborrow(), &inputs, grad_output, &targets, workspace, mode)?;
        let more = Gradient::Add(&backward.input);
        for (conv, made, gradient) in self.generated(forward, backward) {
            conv.record_backward(recorder.reborrow(), input, made, gradient, more, workspace, mode)?;
        }
        Ok(())
    }
}

fn largest_workspace(plans: [Option<Plan>; 3]) -> u64 {
    plans.into_iter().flatten().map(|plan| plan.workspace_bytes).max().unwrap_or(0)
}
