//! Deformable convolution, v1 and v2, as torchvision's `deform_conv2d` computes it.
//!
//! ```text
//! y = (oy·stride_h − pad_h + i·dil_h) + offset[b, 2·(g·taps + t) + 0, oy, ox]      t = i·kernel_width + j
//! x = (ox·stride_w − pad_w + j·dil_w) + offset[b, 2·(g·taps + t) + 1, oy, ox]      g = c / (in_channels / offset_groups)
//! output[b, o, oy, ox] = bias[o] + Σ_{c, i, j} weight[o, c, i, j] · mask[b, g·taps + t, oy, ox] · sample(input[b, c], y, x)
//! ```
//!
//! The sum runs over the input channels of o's weight group. `sample` is bilinear interpolation of the image surrounded by zeros: it is 0 where
//! `y ≤ −1`, `y ≥ in_height`, `x ≤ −1` or `x ≥ in_width`, and a corner outside the image counts 0. Operands are f32, or all of them f16; then
//! positions and sums are still f32, and only the output is rounded, once. A tap whose offset is NaN or infinite contributes 0 (torchvision's
//! CPU code crashes there). The whole-number part of a position is exact, and one f32 addition adds the offset.

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

/// The operator on one device. A cheap handle, `Send` and `Sync`: clones and threads share its plans.
///
/// The first call with a new geometry plans it, compiles the kernels that the device has not compiled yet, and keeps both.
#[derive(Debug, Clone)]
pub struct DeformConv2d {
    core: Convolution,
}

impl DeformConv2d {
    /// The operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self::with_tuning(gpu, Tuning::default())
    }

    /// The operator on `gpu`, with earlier measurements. [`Algorithm::Auto`] goes by them before it goes by the table.
    #[must_use]
    pub fn with_tuning(gpu: &Gpu, tuning: Tuning) -> Self {
        Self { core: Convolution::new(gpu, tuning) }
    }

    /// The device.
    #[must_use]
    pub fn gpu(&self) -> &Gpu {
        self.core.gpu()
    }

    /// The measurements so far, and those that the operator was made with.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        self.core.tuning().clone()
    }

    pub(in crate::ops) fn core(&self) -> &Convolution {
        &self.core
    }

    /// Measures the algorithms that can compute these operands on this device, and remembers the fastest. From then on [`Algorithm::Auto`] takes
    /// it for this geometry wherever the workspace allows. `options.algorithm` does not matter.
    ///
    /// No candidate is begun once `time` is up. The first candidate is the table's choice, so that the result is never slower than that, as far as
    /// measured. A single call, compiling included, may take longer than `time`. Blocks.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn tune<'a, W>(&self, inputs: &Inputs<&'a Tensor, W>, options: Options, time: Duration) -> Result<Algorithm>
    where
        W: Copy + Into<Weight<'a>>,
    {
        super::convolution::fastest(&self.core, &task(inputs, options), time)
    }

    /// Computes the output, `[batch, out_channels, out_height, out_width]`: validates, allocates it, records and submits. Does not wait;
    /// [`Tensor::download`] and [`Gpu::wait`] do.
    ///
    /// # Errors
    /// As [`Geometry::new`] and [`plan`]; [`Error::Dtype`](crate::Error::Dtype) for an operand that stores another type than the input;
    /// [`Error::OtherDevice`](crate::Error::OtherDevice); [`Error::BufferTooLarge`](crate::Error::BufferTooLarge) for the output;
    /// [`Error::Device`](crate::Error::Device).
    pub fn forward<'a, W>(&self, inputs: &Inputs<&'a Tensor, W>, options: Options) -> Result<Tensor>
    where
        W: Copy + Into<Weight<'a>>,
    {
        self.core.forward(&task(inputs, options))
    }

    /// Records the computation into the caller's encoder or compute pass: no allocation of device memory, no submission, no wait.
    ///
    /// `output` is written. `workspace` is scratch memory of at least [`DeformConv2d::prepare`]'s `workspace_bytes`. Neither may share a buffer
    /// with any other operand. Several recordings in one submission may share a workspace. A geometry that was never prepared is prepared
    /// first, which allocates its uniforms and may compile. The encoder must be of the operator's device.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`]; [`Error::Axis`](crate::Error::Axis) for an output of another shape;
    /// [`Error::WorkspaceTooSmall`](crate::Error::WorkspaceTooSmall); [`Error::Aliased`](crate::Error::Aliased).
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

    /// Packs the weight for calls of these shapes and options, and submits that. Such calls then pack it no more.
    ///
    /// If the tensor is written later, prepare it again: calls that use the packed weight see the old values, and calls whose algorithm does
    /// not pack, or packs otherwise, see the tensor.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`].
    pub fn prepare_weight(&self, shapes: &Inputs<&[usize], &Tensor>, options: Options) -> Result<PreparedWeight> {
        let packed = self.core.pack(&*self.prepared(shapes, options)?, shapes.weight)?;
        Ok(PreparedWeight::new(shapes.weight, packed))
    }

    /// [`DeformConv2d::prepare_weight`], recorded into the caller's encoder or compute pass. It allocates the packed weight, which it returns, and
    /// which is ready once the encoder is submitted.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`].
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

    /// Plans a call of these shapes with f32 operands, compiles what it needs and uploads its uniforms, so that recording it does none of that.
    /// The plan tells the workspace it needs. An operator keeps the 64 plans used last, and the scratch that these need.
    ///
    /// # Errors
    /// As [`Geometry::new`] and [`plan`]; [`Error::Device`](crate::Error::Device) where a kernel does not compile.
    pub fn prepare(&self, shapes: &Inputs<&[usize]>, options: Options) -> Result<Plan> {
        self.prepare_dtype(shapes, Dtype::F32, options)
    }

    /// [`DeformConv2d::prepare`] for operands of `dtype`.
    ///
    /// # Errors
    /// As [`DeformConv2d::prepare`].
    pub fn prepare_dtype(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: Options) -> Result<Plan> {
        let geometry = self.core.geometry(shapes, dtype, &options)?;
        Ok(self.core.prepared(geometry, options)?.plan().clone())
    }

    /// Computes the gradients of a loss by the operands, given its gradient by the output: allocates those that are wanted, records and submits.
    /// Does not wait.
    ///
    /// ```text
    /// grad_bias[o]  = Σ_{b,oy,ox} grad_output            grad_weight = grad_output · columnᵀ
    /// grad_column   = weightᵀ · grad_output              grad_mask   = Σ_{c in offset group} grad_column · sample
    /// grad_offset_y = Σ_{c in offset group} mask · grad_column · ∂sample/∂y                          grad_offset_x alike
    /// grad_input    = mask · grad_column, scattered to the four corners with the bilinear weights
    /// ```
    ///
    /// `∂sample/∂y` is the right-hand derivative at whole positions; at exactly −1 it is as [`Options::border_gradient`] says. A tap whose
    /// offset is not finite has gradients of 0. Every sum runs in one order: the same call on the same device gives the same bits.
    /// `grad_output` has the output's shape and the operands' element type; gradients are f32. The gradients of a mask and a bias that the
    /// call does not have are `None`, wanted or not.
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
        self.core.backward(&task(inputs, options), of_output(grad_output), wanted)
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
        self.core.backward_into(&task(inputs, options), of_output(grad_output), targets)
    }

    /// Records [`DeformConv2d::backward`] into the caller's encoder or compute pass: no allocation of device memory, no submission, no wait.
    ///
    /// The gradients that have a target are computed, and written to it or added to it. `workspace` is scratch memory of at least
    /// [`DeformConv2d::prepare_backward`]'s `workspace_bytes`. No target, nor the workspace, may share a buffer with anything else. Otherwise
    /// as [`DeformConv2d::record_forward`].
    ///
    /// # Errors
    /// As [`DeformConv2d::backward`]; [`Error::NoSuchOperand`](crate::Error::NoSuchOperand) for a target of the mask or the bias where there is
    /// none; [`Error::Axis`](crate::Error::Axis) and [`Error::Dtype`](crate::Error::Dtype) for a target that is not f32 of its operand's shape;
    /// [`Error::WorkspaceTooSmall`](crate::Error::WorkspaceTooSmall); [`Error::Aliased`](crate::Error::Aliased).
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

    /// Plans the backward pass of a call of these shapes, compiles what it needs and uploads its uniforms, so that recording it does none of
    /// that. The plan tells the workspace it needs.
    ///
    /// # Errors
    /// As [`Geometry::new`] and [`plan_backward`]; [`Error::NoSuchOperand`](crate::Error::NoSuchOperand);
    /// [`Error::Device`](crate::Error::Device) where a kernel does not compile.
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

/// Without an activation no derivative comes from the output.
fn of_output(grad_output: &Tensor) -> OutputGradient<'_> {
    OutputGradient { output: None, grad_output }
}
