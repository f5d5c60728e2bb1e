//! CycleMLP's fully connected layer.

use super::conv2d::{Conv2d, Conv2dOptions};
use super::layer::Layer;
use super::parameter::Parameter;
use super::state::State;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Bound, Prepared, Recorder, Tensor};
use crate::ops::conv2d;
use crate::ops::deform_conv2d::{DeformConv2d as Operator, Gradient, Mode};
use crate::ops::shift::{Border, ChannelShift, Shift, cycle_fc};

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

/// The options of a [`CycleFc`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CycleFcOptions {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The kernel, `[1, k]` or `[k, 1]`.
    pub kernel_size: [usize; 2],
    /// Whether the layer has a bias.
    pub bias: bool,
}

impl CycleFcOptions {
    /// Returns the options of a layer with a bias.
    #[must_use]
    pub const fn new(in_channels: usize, out_channels: usize, kernel_size: [usize; 2]) -> Self {
        Self { in_channels, out_channels, kernel_size, bias: true }
    }
}

impl CycleFc {
    /// Makes a layer with torch's initialisation, from `seed`.
    ///
    /// # Errors
    /// The same as [`Tensor::upload`], [`Error::Setting`](crate::Error::Setting) if no side of the kernel is 1 or a side is
    /// 0, and [`Error::EmptyAxis`](crate::Error::EmptyAxis) if there are no input channels.
    pub fn new(operator: &Operator, options: CycleFcOptions, seed: u64) -> Result<Self> {
        let CycleFcOptions { in_channels, out_channels, kernel_size, bias } = options;
        let mix = Conv2dOptions { bias, ..Conv2dOptions::new(in_channels, out_channels, [1, 1]) };
        // The weight comes first because it fails for channels that no device holds.
        let mix = Conv2d::new(operator, mix, seed)?;
        Ok(Self { shift: ChannelShift::new(operator.gpu(), &cycle_fc(in_channels, kernel_size)?, Border::Zero)?, mix })
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

    /// Prepares a forward call on an input of this shape.
    ///
    /// # Errors
    /// The same as [`CycleFc::forward`].
    pub fn prepare(&self, input: &[usize]) -> Result<PreparedForward> {
        let shift = self.shift.prepare(input, Dtype::F32)?;
        Ok(PreparedForward { shift, mix: self.mix.prepare(input)?, layer: self.clone() })
    }

    /// Prepares a backward call. `mode` says whether it writes the gradients of the parameters, adds to them, or leaves
    /// them.
    ///
    /// # Errors
    /// The same as [`CycleFc::backward`].
    pub fn prepare_backward(&self, input: &[usize], mode: Mode) -> Result<PreparedBackward> {
        let shift = self.shift.prepare_backward(input, Dtype::F32)?;
        let mix = self.mix.prepare_backward(input, Mode::Write, mode)?;
        Ok(PreparedBackward { shift, mix, mode, layer: self.clone() })
    }

    /// Records [`CycleFc::forward`] into the caller's encoder or compute pass. The call writes `shifted`, a tensor of
    /// the input's shape, which the backward pass reads.
    ///
    /// # Errors
    /// The same as [`ChannelShift::record_forward`] and [`Conv2d::record_forward`].
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        shifted: &Tensor,
        output: &Tensor,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        self.shift.record_forward(recorder.reborrow(), input, shifted)?;
        self.mix.record_forward(recorder, shifted, output)
    }

    /// Records [`CycleFc::backward`] into the caller's encoder or compute pass. The call writes `gradients`, the
    /// gradients of `shifted` and of the input.
    ///
    /// # Errors
    /// The same as [`ChannelShift::record_backward`] and [`Conv2d::record_backward`].
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        shifted: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        gradients: [&Tensor; 2],
        mode: Mode,
    ) -> Result<()> {
        let mut recorder = recorder.into();
        let [grad_shifted, grad_input] = gradients;
        let target = Gradient::Write(grad_shifted);
        self.mix.record_backward(recorder.reborrow(), shifted, output, grad_output, target, mode)?;
        self.shift.record_backward(recorder, grad_shifted, grad_input)
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

impl Layer for CycleFc {
    fn parameters(&self) -> Vec<(String, &Parameter)> {
        self.mix.parameters()
    }
}

/// A prepared forward call of a [`CycleFc`]. It holds the layer's parameters.
#[derive(Debug, Clone)]
pub struct PreparedForward {
    layer: CycleFc,
    shift: Prepared<Shift>,
    mix: Prepared<conv2d::Forward>,
}

/// A prepared backward call of a [`CycleFc`]. It holds the layer's parameters.
#[derive(Debug, Clone)]
pub struct PreparedBackward {
    layer: CycleFc,
    shift: Prepared<Shift>,
    mix: Prepared<conv2d::Backward>,
    mode: Mode,
}

impl PreparedForward {
    /// Records the call into the caller's encoder or compute pass, as [`CycleFc::record_forward`] does.
    ///
    /// # Errors
    /// The same as [`CycleFc::record_forward`].
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        shifted: &Tensor,
        output: &Tensor,
    ) -> Result<()> {
        self.bind(input, shifted, output)?.record(recorder);
        Ok(())
    }

    /// Binds the tensors of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as [`PreparedForward::record`].
    pub fn bind(&self, input: &Tensor, shifted: &Tensor, output: &Tensor) -> Result<Bound> {
        let shift = self.shift.bind(input, shifted)?;
        Ok(shift.then(self.mix.bind(&self.layer.mix.inputs(shifted), output)?))
    }
}

impl PreparedBackward {
    /// Records the call into the caller's encoder or compute pass, as [`CycleFc::record_backward`] does.
    ///
    /// # Errors
    /// The same as [`CycleFc::record_backward`].
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        shifted: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        gradients: [&Tensor; 2],
    ) -> Result<()> {
        self.bind(shifted, output, grad_output, gradients)?.record(recorder);
        Ok(())
    }

    /// Binds the tensors of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as [`PreparedBackward::record`].
    pub fn bind(
        &self,
        shifted: &Tensor,
        output: &Tensor,
        grad_output: &Tensor,
        [grad_shifted, grad_input]: [&Tensor; 2],
    ) -> Result<Bound> {
        let (inputs, targets) = (self.layer.mix.inputs(shifted), self.layer.mix.targets(grad_shifted, self.mode));
        let mix = self.mix.bind(&inputs, output, grad_output, &targets)?;
        Ok(mix.then(self.shift.bind(grad_shifted, grad_input)?))
    }
}
