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

/// CycleFC (Chen et al., CycleMLP, 2021): `deform_conv2d` with a 1×1 weight, an offset group for each channel, and the constant offset
/// `(i + k/2) mod k − k/2` for channel `i`, along x for a kernel of `[1, k]`, along y for `[k, 1]`.
///
/// ```text
/// output[b, o, y, x] = bias[o] + Σ_i weight[o, i] · input[b, i, y + offset_y(i), x + offset_x(i)]          0 outside
/// ```
///
/// The offsets are whole, so each channel is shifted, without interpolation, and the rest is a 1×1 convolution.
#[derive(Debug, Clone)]
pub struct CycleFc {
    shift: ChannelShift,
    /// The 1×1 convolution behind the shift.
    pub mix: Conv2d,
}

impl CycleFc {
    /// The layer with torch's initialisation, from `seed`.
    ///
    /// # Errors
    /// As [`Tensor::upload`]; [`Error::EmptyAxis`](crate::Error::EmptyAxis) for no input channels.
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

    /// The output.
    ///
    /// # Errors
    /// As [`ChannelShift::forward`] and [`Conv2d::forward`].
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.mix.forward(&self.shift.forward(input)?)
    }

    /// The gradient of the input, which is returned, and those of the parameters, which are treated as `mode` says.
    ///
    /// # Errors
    /// As [`CycleFc::forward`].
    pub fn backward(&self, input: &Tensor, output: &Tensor, grad_output: &Tensor, mode: Mode) -> Result<Tensor> {
        let shifted = self.shift.forward(input)?;
        self.shift.backward(&self.mix.backward(&shifted, output, grad_output, mode)?)
    }

    /// Plans a forward call on an input of this shape, so that recording it allocates nothing; the bytes of workspace it needs.
    ///
    /// # Errors
    /// As [`CycleFc::forward`].
    pub fn prepare_forward(&self, input: [usize; 4]) -> Result<u64> {
        self.shift.prepare(input, Dtype::F32, Direction::Forward)?;
        Ok(self.mix.prepare_forward(&input)?.workspace_bytes)
    }

    /// The same of a backward call.
    ///
    /// # Errors
    /// As [`CycleFc::backward`].
    pub fn prepare_backward(&self, input: [usize; 4], mode: Mode) -> Result<u64> {
        self.shift.prepare(input, Dtype::F32, Direction::Backward)?;
        Ok(self.mix.prepare_backward(&input, Mode::Write, mode)?.workspace_bytes)
    }

    /// [`CycleFc::forward`], recorded into the caller's encoder or compute pass. `shifted`, of the input's shape, is written on the way, and is
    /// what the backward pass reads.
    ///
    /// # Errors
    /// As [`ChannelShift::record`] and [`Conv2d::record_forward`].
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

    /// [`CycleFc::backward`], recorded into the caller's encoder or compute pass. `gradients` are those of `shifted`, written on the way, and of the
    /// input.
    ///
    /// # Errors
    /// As [`ChannelShift::record`] and [`Conv2d::record_backward`].
    #[allow(clippy::too_many_arguments, reason = "what the forward pass took and gave, and where the result goes")]
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

    /// The parameters with their names.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, &Parameter)> {
        self.mix.parameters()
    }

    /// Writes the parameters into `state` as `{prefix}weight` and `{prefix}bias`. Waits for them; not on the web.
    ///
    /// # Errors
    /// As [`Tensor::download`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save(&self, state: &mut State, prefix: &str) -> Result<()> {
        self.mix.save(state, prefix)
    }

    /// Takes the parameters from `state`.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) where one is missing or has another shape.
    pub fn load(&self, state: &State, prefix: &str) -> Result<()> {
        self.mix.load(state, prefix)
    }
}
