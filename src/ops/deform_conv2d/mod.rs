//! Deformable convolution, v1 and v2, as torchvision's `deform_conv2d` computes it.
//!
//! ```text
//! y = (oy·stride_h − pad_h + i·dil_h) + offset[b, 2·(g·taps + t) + 0, oy, ox]      t = i·kernel_width + j
//! x = (ox·stride_w − pad_w + j·dil_w) + offset[b, 2·(g·taps + t) + 1, oy, ox]      g = c / (in_channels / offset_groups)
//! output[b, o, oy, ox] = bias[o] + Σ_{c, i, j} weight[o, c, i, j] · mask[b, g·taps + t, oy, ox] · sample(input[b, c], y, x)
//! ```
//!
//! The sum runs over the input channels of o's weight group. `sample` is bilinear interpolation of the image, which
//! zeros surround: it is 0 where `y ≤ −1`, `y ≥ in_height`, `x ≤ −1` or `x ≥ in_width`, and a corner outside the image
//! counts 0. The whole-number part of a position is exact, and one f32 addition adds the offset. A tap whose offset is
//! NaN or infinite contributes 0; torchvision's CPU code crashes there.
//!
//! Either all operands are f32 or all are f16. With f16, positions and sums are still f32, and the output is rounded
//! once.

mod inputs;

use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

use self::inputs::task;
pub use self::inputs::{Inputs, PreparedWeight, Weight};
pub use super::convolution::{
    Algorithm, BorderGradient, Geometry, Gradient, Gradients, Mode, Operand, Options, ParseAlgorithmError, Tile,
    Tuning, choice, plan, plan_backward, reference,
};
use super::convolution::{Convolution, OutputGradient};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Gpu, Prepared, Recorder, Tensor};
use crate::plan::Plan;

/// The operator on one device. The handle is cheap to clone, `Send` and `Sync`. Clones share its plans.
///
/// The first call with a new geometry plans it, compiles the kernels that the device has not compiled yet, and keeps
/// both.
#[derive(Debug, Clone)]
pub struct DeformConv2d {
    core: Convolution,
}

impl DeformConv2d {
    /// Makes the operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self::with_tuning(gpu, Tuning::default())
    }

    /// Makes the operator on `gpu` with earlier measurements. [`Algorithm::Auto`] prefers them to the table.
    #[must_use]
    pub fn with_tuning(gpu: &Gpu, tuning: Tuning) -> Self {
        Self { core: Convolution::new(gpu, tuning) }
    }

    /// Returns the device.
    #[must_use]
    pub fn gpu(&self) -> &Gpu {
        self.core.gpu()
    }

    /// Returns the measurements, those that the operator was made with included.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        self.core.tuning().clone()
    }

    pub(in crate::ops) fn core(&self) -> &Convolution {
        &self.core
    }

    /// Measures the algorithms that can compute these operands on this device, and remembers the fastest.
    /// [`Algorithm::Auto`] then chooses it for this geometry if the workspace suffices. `options.algorithm` has no
    /// effect.
    ///
    /// The first candidate is the table's choice, so that the result is never slower than that, as far as measured. No
    /// candidate starts after `time` once one has been measured, but one call, compiling included, may take longer than
    /// `time`. Blocks.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn tune<'a, W>(&self, inputs: &Inputs<&'a Tensor, W>, options: Options, time: Duration) -> Result<Algorithm>
    where
        W: Copy + Into<Weight<'a>>,
    {
        super::convolution::fastest(&self.core, &task(inputs, options), time)
    }

    /// Computes the output, `[batch, out_channels, out_height, out_width]`: validates, allocates, records and submits.
    /// Does not wait; [`Tensor::download`] and [`Gpu::wait`] do.
    ///
    /// # Errors
    /// The same as [`Geometry::new`] and [`plan`], [`Error::Dtype`](crate::Error::Dtype) if an operand's element type
    /// differs from the input's, [`Error::OtherDevice`](crate::Error::OtherDevice),
    /// [`Error::BufferTooLarge`](crate::Error::BufferTooLarge) for the output, and
    /// [`Error::Device`](crate::Error::Device).
    pub fn forward<'a, W>(&self, inputs: &Inputs<&'a Tensor, W>, options: Options) -> Result<Tensor>
    where
        W: Copy + Into<Weight<'a>>,
    {
        self.core.forward(&task(inputs, options))
    }

    /// Records the computation into the caller's encoder or compute pass. Does not submit or wait, and allocates no
    /// device memory if the call was prepared.
    ///
    /// The call writes `output`, and keeps intermediate results in `workspace`, which needs at least the
    /// `workspace_bytes` of [`DeformConv2d::prepare`]. Neither may share a buffer with another operand. Several
    /// recordings in one submission may share a workspace. A call that was not prepared is prepared first, which
    /// allocates uniforms and scratch, writes to the queue, and may compile kernels. The encoder must belong to the
    /// operator's device.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`], [`Error::Axis`](crate::Error::Axis) if the output has another shape,
    /// [`Error::WorkspaceTooSmall`](crate::Error::WorkspaceTooSmall), and [`Error::Aliased`](crate::Error::Aliased).
    pub fn record_forward<'a, 'r, 'pass: 'r, W>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&'a Tensor, W>,
        output: &'a Tensor,
        workspace: &Tensor,
        options: Options,
    ) -> Result<()>
    where
        W: Copy + Into<Weight<'a>>,
    {
        self.core.record_forward(recorder, &task(inputs, options), output, workspace)
    }

    /// Packs the weight for calls with these shapes and options, and submits. Such calls do not pack it again.
    ///
    /// After a write to the tensor the weight must be prepared again: calls that use the packed weight see the old
    /// values, and calls whose algorithm needs no packing, or another one, see the new.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`].
    pub fn prepare_weight(&self, shapes: &Inputs<&[usize], &Tensor>, options: Options) -> Result<PreparedWeight> {
        let packed = self.core.pack(&*self.prepared(shapes, options)?, shapes.weight)?;
        Ok(PreparedWeight::new(shapes.weight, packed))
    }

    /// Records [`DeformConv2d::prepare_weight`] into the caller's encoder or compute pass. Allocates and returns the
    /// packed weight, which is ready once the encoder is submitted.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`].
    pub fn record_prepare_weight<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        shapes: &Inputs<&[usize], &Tensor>,
        options: Options,
    ) -> Result<PreparedWeight> {
        let packed = self.core.record_pack(recorder, &*self.prepared(shapes, options)?, shapes.weight)?;
        Ok(PreparedWeight::new(shapes.weight, packed))
    }

    fn prepared(&self, shapes: &Inputs<&[usize], &Tensor>, options: Options) -> Result<Arc<Prepared>> {
        let weight = shapes.weight;
        let geometry = self.core.geometry(shapes.with_weight(weight.shape()), weight.dtype(), &options)?;
        self.core.prepared(geometry, options)
    }

    /// Plans a call on f32 operands of these shapes, compiles its kernels and uploads its uniforms, so that recording
    /// it need not. The plan's `workspace_bytes` is the size of the workspace that recording needs. An operator keeps
    /// the 64 plans used last, and the scratch that they need.
    ///
    /// # Errors
    /// The same as [`Geometry::new`] and [`plan`], and [`Error::Device`](crate::Error::Device) if a kernel does not
    /// compile.
    pub fn prepare(&self, shapes: &Inputs<&[usize]>, options: Options) -> Result<Plan> {
        self.prepare_dtype(shapes, Dtype::F32, options)
    }

    /// [`DeformConv2d::prepare`] for operands of `dtype`.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::prepare`].
    pub fn prepare_dtype(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: Options) -> Result<Plan> {
        let geometry = self.core.geometry(shapes, dtype, &options)?;
        Ok(self.core.prepared(geometry, options)?.plan().clone())
    }

    /// Computes the gradients of a loss with respect to the operands from its gradient with respect to the output:
    /// validates, allocates the wanted gradients, records and submits. Does not wait.
    ///
    /// ```text
    /// grad_bias[o]  = Σ_{b,oy,ox} grad_output            grad_weight = grad_output · columnᵀ
    /// grad_column   = weightᵀ · grad_output              grad_mask   = Σ_{c in offset group} grad_column · sample
    /// grad_offset_y = Σ_{c in offset group} mask · grad_column · ∂sample/∂y                          and the same for grad_offset_x
    /// grad_input    = mask · grad_column, scattered to the four corners with the bilinear weights
    /// ```
    ///
    /// At whole positions `∂sample/∂y` is the right-hand derivative; at exactly −1 [`Options::border_gradient`] defines
    /// it. A tap whose offset is not finite has gradients of 0. Every sum runs in one order, so the same call on the
    /// same device gives the same bits. `grad_output` has the output's shape and the operands' element type, and
    /// gradients are f32. If the call has no mask or no bias, its gradient is `None`, even if it is wanted.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`] and [`plan_backward`], where `grad_output` is checked like an operand.
    pub fn backward(
        &self,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        wanted: Gradients<bool>,
        options: Options,
    ) -> Result<Gradients<Option<Tensor>>> {
        self.core.backward(&task(inputs, options), of_output(grad_output), wanted)
    }

    /// Computes the gradients that have a target into their targets: records and submits with the operator's own
    /// workspace. Does not wait.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::record_backward`].
    pub fn backward_into(
        &self,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        options: Options,
    ) -> Result<()> {
        self.core.backward_into(&task(inputs, options), of_output(grad_output), targets)
    }

    /// Records [`DeformConv2d::backward`] into the caller's encoder or compute pass. Does not submit or wait, and
    /// allocates no device memory if the call was prepared.
    ///
    /// The call computes the gradients that have a target, and writes each to its target or adds it. It keeps
    /// intermediate results in `workspace`, which needs at least the `workspace_bytes` of
    /// [`DeformConv2d::prepare_backward`]. Neither a target nor the workspace may share a buffer with another operand.
    /// Otherwise this is like [`DeformConv2d::record_forward`].
    ///
    /// # Errors
    /// The same as [`DeformConv2d::backward`], [`Error::NoSuchOperand`](crate::Error::NoSuchOperand) for a target of a
    /// mask or bias that the call does not have, [`Error::Axis`](crate::Error::Axis) or
    /// [`Error::Dtype`](crate::Error::Dtype) for a target that is not f32 or has another shape than its operand,
    /// [`Error::WorkspaceTooSmall`](crate::Error::WorkspaceTooSmall), and [`Error::Aliased`](crate::Error::Aliased).
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        workspace: &Tensor,
        options: Options,
    ) -> Result<()> {
        self.core.record_backward(recorder, &task(inputs, options), of_output(grad_output), targets, workspace)
    }

    /// Plans the backward pass of a call on operands of these shapes, compiles its kernels and uploads its uniforms, so
    /// that recording it need not. The plan's `workspace_bytes` is the size of the workspace that recording needs.
    ///
    /// # Errors
    /// The same as [`Geometry::new`] and [`plan_backward`], [`Error::NoSuchOperand`](crate::Error::NoSuchOperand), and
    /// [`Error::Device`](crate::Error::Device) if a kernel does not compile.
    pub fn prepare_backward(
        &self,
        shapes: &Inputs<&[usize]>,
        dtype: Dtype,
        modes: Gradients<Mode>,
        options: Options,
    ) -> Result<Plan> {
        let geometry = self.core.geometry(shapes, dtype, &options)?;
        Ok(self.core.prepared_gradients(geometry, modes, options)?.plan().clone())
    }
}

/// Wraps the gradient of an output without an activation, whose derivative needs no output.
fn of_output(grad_output: &Tensor) -> OutputGradient<'_> {
    OutputGradient { output: None, grad_output }
}
