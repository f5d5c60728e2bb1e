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
mod prepared;

use std::fmt;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

pub use self::inputs::{Inputs, PackedWeight, Weight};
use self::inputs::{of_output, task};
pub use self::prepared::{Backward, Forward};
use super::convolution::Convolution;
pub use super::convolution::{
    Algorithm, BorderGradient, Geometry, Gradient, Gradients, Mode, Operand, Options, ParseAlgorithmError, Tile,
    Tuning, choice, estimate, plan, plan_backward, reference,
};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Gpu, Prepared, Recorder, Tensor};

/// The operator on one device. The handle is cheap to clone, `Send` and `Sync`. Clones share its calls.
///
/// The first call with a new geometry plans it, compiles the kernels that the device has not compiled yet, and keeps
/// the 64 calls made last. [`DeformConv2d::prepare`] returns a handle, and a call stays ready as long as its handle
/// lives.
#[derive(Clone)]
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

    /// Returns an operator with the same measurements that keeps its own calls.
    pub(crate) fn with_own_calls(&self) -> Self {
        Self { core: self.core.with_own_calls() }
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

    /// Records the computation into the caller's encoder or compute pass, with the caller's output. Does not submit or
    /// wait.
    ///
    /// The output may not share a buffer with another operand. The call is prepared if no handle for such a call lives
    /// and the operator has not kept it. Preparing may compile kernels, allocates memory and writes to the queue, so a
    /// program that must not wait here calls [`DeformConv2d::prepare`] first. The encoder must belong to the operator's
    /// device.
    ///
    /// # Errors
    /// The same as [`DeformConv2d::forward`], [`Error::Axis`](crate::Error::Axis) if the output has another shape, and
    /// [`Error::Aliased`](crate::Error::Aliased).
    pub fn record_forward<'a, 'r, 'pass: 'r, W>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&'a Tensor, W>,
        output: &'a Tensor,
        options: Options,
    ) -> Result<()>
    where
        W: Copy + Into<Weight<'a>>,
    {
        self.core.record_forward(recorder, &task(inputs, options), output)
    }

    /// Prepares a forward call on operands of these shapes and this element type.
    ///
    /// # Errors
    /// The same as [`Geometry::new`] and [`plan`], and [`Error::Device`](crate::Error::Device) if a kernel does not
    /// compile.
    pub fn prepare(&self, shapes: &Inputs<&[usize]>, dtype: Dtype, options: Options) -> Result<Prepared<Forward>> {
        self.core.prepare(self.core.geometry(shapes, dtype, &options)?, options)
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

    /// Computes the gradients that have a target into their targets: records and submits. Does not wait.
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

    /// Records [`DeformConv2d::backward`] into the caller's encoder or compute pass. Does not submit or wait.
    ///
    /// The call computes the gradients that have a target, and writes each to its target or adds it. No target may
    /// share a buffer with another operand. Otherwise this is like [`DeformConv2d::record_forward`].
    ///
    /// # Errors
    /// The same as [`DeformConv2d::backward`], [`Error::NoSuchOperand`](crate::Error::NoSuchOperand) for a target of a
    /// mask or bias that the call does not have, [`Error::Axis`](crate::Error::Axis) or
    /// [`Error::Dtype`](crate::Error::Dtype) for a target that is not f32 or has another shape than its operand, and
    /// [`Error::Aliased`](crate::Error::Aliased).
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        inputs: &Inputs<&Tensor>,
        grad_output: &Tensor,
        targets: &Gradients<Option<Gradient<'_>>>,
        options: Options,
    ) -> Result<()> {
        self.core.record_backward(recorder, &task(inputs, options), of_output(grad_output), targets)
    }

    /// Prepares a backward call on operands of these shapes and this element type. `modes` says which gradients it
    /// computes, and whether it writes each or adds it to its target.
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
    ) -> Result<Prepared<Backward>> {
        self.core.prepare_backward(self.core.geometry(shapes, dtype, &options)?, modes, options)
    }
}

impl fmt::Debug for DeformConv2d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeformConv2d {:?}", self.core)
    }
}
