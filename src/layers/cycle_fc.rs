//! CycleMLP's fully connected layer.

use super::conv2d::Conv2d;
use super::parameter::Parameter;
use super::state::State;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Recorder, Tensor};
use crate::ops::conv2d;
use crate::ops::deform_conv2d::{DeformConv2d as Operator, Gradient, Mode};
use crate::ops::shift::{Border, ChannelShift, Direction, cycle_fc};

/// CycleFC (Chen et al., CycleMLP, 2021): `deform_conv2d` with a 1×1 weight, an offset group for each channel, and the
/// constant offset `(i + k/2) mod k − k/2` for channel `i`, along x for a kernel of `[1, k]`, along y for `[k, 1]`.
///
/// ```text
/// output[b, o, y, x] = bias[o] + Σ_i weight[o, i] · input[b, i, y + offset_y(i), x + offset_x(i)]          input is 0 outside
/// ```
///
/// The offsets are whole numbers. So each channel is shifted without interpolation, and the rest is a 1×1 convolution.
#[derive(Debug, Clone)]
pub struct CycleFc {
    shift: ChannelShift,
    /// The 1×1 convolution behind the shift.
    pub mix: Conv2d,
}

impl CycleFc {
    /// Makes a layer with torch's initialisation, from `seed`.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`], and [`Error::EmptyAxis`](crate::Error::EmptyAxis) if there are no input
    /// channels.
    pub fn new(
        operator: &Operator,
        in_channels: usize,
        out_channels: usize,
        kernel: [usize; 2],
        bias: bool,
        seed: u64,
    ) -> Result<Self> {
        let shift = ChannelShift::new(operator.gpu(), &cycle_fc(in_channels, kernel), Border::Zero)?;
        let mix = Conv2d::new(operator, [out_channels, in_channels, 1, 1], bias, conv2d::Options::default(), seed)?;
        Ok(Self { shift, mix })
    }

    /// Computes the output.
    ///
    /// # Errors
    /// The same as [`ChannelShift::forward`] and [`Conv2d::forward`].
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.mix.forward(&self.shift.forward(input)?)
    }

    /// Returns the gradient of the input, and puts the gradients of the parameters into these, as `mode` says.
    ///
    /// # Errors
    /// The same as [`CycleFc::forward`].
    pub fn backward(&self, input: &Tensor, output: &Tensor, grad_output: &Tensor, mode: Mode) -> Result<Tensor> {
        let shifted = self.shift.forward(input)?;
        self.shift.backward(&self.mix.backward(&shifted, output, grad_output, mode)?)
    }

    /// Plans a forward call on an input of this shape, so that recording it allocates nothing. Returns the bytes of the
    /// workspace.
    ///
    /// # Errors
    /// The same as [`CycleFc::forward`].
    pub fn prepare_forward(&self, input: [usize; 4]) -> Result<u64> {
        self.shift.prepare(input, Dtype::F32, Direction::Forward)?;
        Ok(self.mix.prepare_forward(&input)?.workspace_bytes)
    }

    /// Plans a backward call, so that recording it allocates nothing. Returns the bytes of the workspace.
    ///
    /// # Errors
    /// The same as [`CycleFc::backward`].
    pub fn prepare_backward(&self, input: [usize; 4], mode: Mode) -> Result<u64> {
        self.shift.prepare(input, Dtype::F32, Direction::Backward)?;
        Ok(self.mix.prepare_backward(&input, Mode::Write, mode)?.workspace_bytes)
    }

    /// Records [`CycleFc::forward`] into the caller's encoder or compute pass. The call writes `shifted`, a tensor of
    /// the input's shape, which the backward pass reads.
    ///
    /// # Errors
    /// The same as [`ChannelShift::record`] and [`Conv2d::record_forward`].
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        shifted: &Tensor,
        output: &Tensor,
        workspace: &Tensor,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        self.shift.record(recorder.reborrow(), Direction::Forward, input, shifted)?;
        self.mix.record_forward(recorder, shifted, output, workspace)
    }

    /// Records [`CycleFc::backward`] into the caller's encoder or compute pass. The call writes `gradients`, the
    /// gradients of `shifted` and of the input.
    ///
    /// # Errors
    /// The same as [`ChannelShift::record`] and [`Conv2d::record_backward`].
    #[allow(clippy::too_many_arguments, reason = "the operands and results of both passes")]
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        shifted: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        gradients: [&Tensor; 2],
        workspace: &Tensor,
        mode: Mode,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        let [grad_shifted, grad_input] = gradients;
        let target = Gradient::Write(grad_shifted);
        self.mix.record_backward(recorder.reborrow(), shifted, output, grad_output, target, workspace, mode)?;
        self.shift.record(recorder, Direction::Backward, grad_shifted, grad_input)
    }

    /// Returns the parameters with their names.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, &Parameter)> {
        self.mix.parameters()
    }

    /// Writes the parameters into `state` as `{prefix}weight` and `{prefix}bias`. Waits for them, so it is not
    /// available on the web.
    ///
    /// # Errors
    /// The same as [`Tensor::download`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save(&self, state: &mut State, prefix: &str) -> Result<()> {
        self.mix.save(state, prefix)
    }

    /// Loads the parameters from `state`.
    ///
    /// # Errors
    /// Returns [`Error::State`](crate::Error::State) if one is missing or has another shape.
    pub fn load(&self, state: &State, prefix: &str) -> Result<()> {
        self.mix.load(state, prefix)
    }
}
