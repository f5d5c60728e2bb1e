//! Deformable convolution, v1 and v2, as torchvision's `deform_conv2d` computes it.
//!
//! ```text
//! y = (oy·stride_h − pad_h + i·dil_h) + offset[b, 2·(g·taps + t) + 0, oy, ox]      t = i·kernel_width + j
//! x = (ox·stride_w − pad_w + j·dil_w) + offset[b, 2·(g·taps + t) + 1, oy, ox]      g = c / (in_channels / offset_groups)
//! output[b, o, oy, ox] = bias[o] + Σ_{c, i, j} weight[o, c, i, j] · mask[b, g·taps + t, oy, ox] · sample(input[b, c], y, x)
//! ```
//!
//! The sum runs over the input channels of o's weight group. `sample` is bilinear interpolation of the image surrounded by
//! zeros: 0 where `y ≤ −1`, `y ≥ in_height`, `x ≤ −1` or `x ≥ in_width`, and a corner outside the image counts 0.
//! Operands are f32, or all of them f16: then positions and sums are f32 still, and only the output is rounded, once.
//! A tap whose offset is NaN or infinite contributes 0 (torchvision's CPU code crashes there). The whole-number part of a
//! position is exact; one f32 addition adds the offset.

mod algorithm;
mod backward;
mod geometry;
mod gradients;
mod inputs;
mod plan;
pub mod reference;
mod tuning;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use algorithm::{Algorithm, ParseAlgorithmError, Tile};
pub use geometry::Geometry;
pub use gradients::{Gradient, Gradients, Mode};
pub use inputs::Inputs;
pub(in crate::ops) use inputs::Operands;
pub use plan::{choice, plan, plan_backward};
pub use tuning::Tuning;

use crate::gpu::{Call, Engine, Packed, Prepared, Recorder};
use crate::ops::activation::Activation;
use crate::ops::{check_dtype, check_shape, storage};
use crate::plan::Plan;
use crate::{Dtype, Gpu, Result, Tensor};

/// How the taps are laid out, and how the work is to be done. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Options {
    /// Input pixels between neighbouring output pixels. Default 1.
    pub stride: [usize; 2],
    /// Input pixels that the first tap lies outside the image, on both sides. Default 0.
    pub padding: [usize; 2],
    /// Input pixels between neighbouring taps. Default 1.
    pub dilation: [usize; 2],
    /// The algorithm. Default [`Algorithm::Auto`].
    pub algorithm: Algorithm,
    /// The offset's gradient where a tap lies at exactly −1. Default [`BorderGradient::Torchvision`].
    pub border_gradient: BorderGradient,
    /// The most bytes of workspace a plan may ask for. Default 64 MiB. Less memory means more, smaller steps.
    pub workspace_limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            algorithm: Algorithm::default(),
            border_gradient: BorderGradient::default(),
            workspace_limit: 64 << 20,
        }
    }
}

/// Whose derivative by the position holds where a tap lies at exactly −1 on an axis. The sample is 0 there, but rises inwards; with zero
/// offsets and padding 1 it is the ordinary case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BorderGradient {
    /// The right-hand derivative, as at every other whole number.
    #[default]
    Torchvision,
    /// 0, as in mmcv and the original DCNv1 and DCNv2.
    Mmcv,
}

/// What a prepared plan is kept by: all that it was made from. No gradients: the forward pass.
type Key = (Geometry, Options, Option<Gradients<Mode>>);

/// The operator on one device. A cheap handle, `Send` and `Sync`: clones and threads share its plans.
///
/// The first call with a new geometry plans it, compiles the kernels that the device has not compiled yet, and keeps both.
#[derive(Debug, Clone)]
pub struct DeformConv2d {
    engine: Arc<Engine<Key>>,
    tuning: Arc<Mutex<Tuning>>,
}

impl DeformConv2d {
    /// The operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { engine: Arc::new(Engine::new(gpu)), tuning: Arc::default() }
    }

    /// The device.
    #[must_use]
    pub fn gpu(&self) -> &Gpu {
        self.engine.gpu()
    }

    /// The operator on `gpu`, with what was measured before: [`Algorithm::Auto`] goes by it before it goes by the table.
    #[must_use]
    pub fn with_tuning(gpu: &Gpu, tuning: Tuning) -> Self {
        Self { tuning: Arc::new(Mutex::new(tuning)), ..Self::new(gpu) }
    }

    /// What was measured so far, and what the operator was made with.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        self.lock_tuning().clone()
    }

    fn lock_tuning(&self) -> MutexGuard<'_, Tuning> {
        self.tuning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes the output, `[batch, out_channels, out_height, out_width]`: validates, allocates it, records and submits. Does
    /// not wait; [`Tensor::download`] and [`Gpu::wait`] do.
    ///
    /// # Errors
    /// As [`Geometry::new`] and [`plan`]; [`Error::Dtype`](crate::Error::Dtype) for operands that store another type than the input; [`Error::OtherDevice`](crate::Error::OtherDevice);
    /// [`Error::BufferTooLarge`](crate::Error::BufferTooLarge) for the output; [`Error::Device`](crate::Error::Device).
    pub fn forward<'a, W>(&self, inputs: &Inputs<&'a Tensor, W>, options: Options) -> Result<Tensor>
    where
        W: Copy + Into<Weight<'a>>,
    {
        self.run(&Task::new(inputs, options))
    }

    /// Records the computation into the caller's encoder or compute pass: no allocation of device memory, no submission, no wait.
    ///
    /// `output` is written, `workspace` is scratch of at least [`DeformConv2d::prepare`]'s `workspace_bytes`; neither may share a
    /// buffer with any other operand. Several recordings in one submission may share a workspace. A geometry that was never
    /// prepared is prepared first, which allocates its uniforms and may compile. The encoder must be of the operator's device.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`]; [`Error::Axis`](crate::Error::Axis) for an output of another shape; [`Error::WorkspaceTooSmall`](crate::Error::WorkspaceTooSmall);
    /// [`Error::Aliased`](crate::Error::Aliased).
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
        self.record(recorder, &Task::new(inputs, options), output, workspace)
    }

    pub(in crate::ops) fn run(&self, task: &Task<'_>) -> Result<Tensor> {
        let geometry = self.checked_geometry(task)?;
        let prepared = self.prepared_for(geometry, task.options)?;
        let output = Tensor::new(self.engine.gpu(), geometry.output_shape(), task.operands.input.dtype())?;
        self.engine.submit(&prepared, &task.call(&output))?;
        Ok(output)
    }

    pub(in crate::ops) fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        task: &Task<'_>,
        output: &Tensor,
        workspace: &Tensor,
    ) -> Result<()> {
        let geometry = self.checked_geometry(task)?;
        let prepared = self.prepared_for(geometry, task.options)?;
        check_shape("output", output, &geometry.output_shape(), "the output's shape")?;
        check_dtype("output", output, task.operands.input.dtype())?;
        self.engine.record(&prepared, recorder, &task.call(output), Some(workspace))
    }

    /// Packs the weight for calls of these shapes and options, and submits that: such calls then pack it no more.
    ///
    /// Where the tensor is written later, prepare it again: calls that use what was packed see the weight as it is now, and those whose
    /// algorithm does not pack, or packs otherwise, see the tensor.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`].
    pub fn prepare_weight(&self, shapes: &Inputs<&[usize], &Tensor>, options: Options) -> Result<PreparedWeight> {
        let weight = shapes.weight;
        let prepared = self.prepared_for(self.weight_geometry(shapes, &options)?, options)?;
        let packed = self.engine.pack(&prepared, ("weight", weight))?;
        Ok(PreparedWeight { weight: weight.clone(), packed: Arc::new(packed) })
    }

    /// [`DeformConv2d::prepare_weight`], recorded into the caller's encoder or compute pass: what is allocated is the packed weight, which is
    /// returned, and ready once that is submitted.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`].
    pub fn record_prepare_weight<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        shapes: &Inputs<&[usize], &Tensor>,
        options: Options,
    ) -> Result<PreparedWeight> {
        let weight = shapes.weight;
        let prepared = self.prepared_for(self.weight_geometry(shapes, &options)?, options)?;
        let packed = self.engine.record_pack(&prepared, recorder, ("weight", weight))?;
        Ok(PreparedWeight { weight: weight.clone(), packed: Arc::new(packed) })
    }

    fn weight_geometry(&self, shapes: &Inputs<&[usize], &Tensor>, options: &Options) -> Result<Geometry> {
        let weight = shapes.weight;
        self.geometry(&Operands::from(shapes.with_weight(weight.shape())), weight.dtype(), options)
    }

    /// Plans a call of these shapes with f32 operands, compiles what it needs and uploads its uniforms, so that recording it does
    /// none of that. The plan tells the workspace it needs. An operator keeps the 64 plans used last, and the
    /// scratch that these need.
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
        let geometry = self.geometry(&Operands::from(*shapes), dtype, &options)?;
        Ok(self.prepared_for(geometry, options)?.plan().clone())
    }

    fn checked_geometry(&self, task: &Task<'_>) -> Result<Geometry> {
        let operands = &task.operands;
        let dtype = operands.input.dtype();
        let geometry = self.geometry(&operands.map(|tensor| tensor.shape()), dtype, &task.options)?;
        operands.named().try_for_each(|(operand, tensor)| check_dtype(operand, tensor, dtype))?;
        Ok(Geometry { activation: task.activation, ..geometry })
    }

    /// The validated sizes, and how this device stores operands of `dtype`.
    pub(in crate::ops) fn geometry(
        &self,
        shapes: &Operands<&[usize]>,
        dtype: Dtype,
        options: &Options,
    ) -> Result<Geometry> {
        Ok(Geometry::of(shapes, options)?.stored(storage(self.engine.gpu(), dtype)))
    }

    pub(in crate::ops) fn prepared_for(&self, geometry: Geometry, options: Options) -> Result<Arc<Prepared>> {
        let gpu = self.engine.gpu();
        let prepare = |algorithm| {
            let options = Options { algorithm, ..options };
            self.engine.prepare(&(geometry, options, None), || plan(&geometry, &options, gpu.limits()))
        };
        let tuned = match options.algorithm {
            Algorithm::Auto => self.lock_tuning().get(gpu, &geometry),
            _ => None,
        };
        // What was tuned with a larger workspace may not fit into a smaller one.
        tuned.map(prepare).filter(Result::is_ok).unwrap_or_else(|| prepare(options.algorithm))
    }
}

/// A weight packed once, for calls that do not change it: inference. From [`DeformConv2d::prepare_weight`]; a cheap handle.
///
/// It serves any call. One that needs another packing, since its groups, offset groups or algorithm differ, packs the tensor that
/// this was made from, as a call without it would.
#[derive(Debug, Clone)]
pub struct PreparedWeight {
    weight: Tensor,
    packed: Arc<Packed>,
}

/// The weight of a call: a tensor, packed by the call where its algorithm needs that, or one packed before.
#[derive(Debug, Clone, Copy)]
pub enum Weight<'a> {
    /// As it is.
    Tensor(&'a Tensor),
    /// Packed.
    Prepared(&'a PreparedWeight),
}

impl<'a> From<&'a Tensor> for Weight<'a> {
    fn from(weight: &'a Tensor) -> Self {
        Self::Tensor(weight)
    }
}

impl<'a> From<&'a PreparedWeight> for Weight<'a> {
    fn from(weight: &'a PreparedWeight) -> Self {
        Self::Prepared(weight)
    }
}

fn resolve<'a, W>(inputs: &Inputs<&'a Tensor, W>) -> (Inputs<&'a Tensor>, Option<&'a Packed>)
where
    W: Copy + Into<Weight<'a>>,
{
    match inputs.weight.into() {
        Weight::Tensor(weight) => (inputs.with_weight(weight), None),
        Weight::Prepared(prepared) => (inputs.with_weight(&prepared.weight), Some(&prepared.packed)),
    }
}

/// What a call of any convolution is to compute, and from what.
pub(in crate::ops) struct Task<'a> {
    operands: Operands<&'a Tensor>,
    packed: Option<&'a Packed>,
    activation: Activation,
    options: Options,
}

impl<'a> Task<'a> {
    fn new<W>(inputs: &Inputs<&'a Tensor, W>, options: Options) -> Self
    where
        W: Copy + Into<Weight<'a>>,
    {
        let (inputs, packed) = resolve(inputs);
        Self { packed, ..Self::of(inputs.into(), options) }
    }

    pub(in crate::ops) fn of(operands: Operands<&'a Tensor>, options: Options) -> Self {
        Self { operands, packed: None, activation: Activation::default(), options }
    }

    pub(in crate::ops) fn with_activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Its operands by their names.
    fn named(&self) -> impl Iterator<Item = (&'static str, &'a Tensor)> {
        self.operands.named().map(|(operand, &tensor)| (operand, tensor))
    }

    fn call<'b>(&'b self, output: &'b Tensor) -> Call<'b> {
        let operands = self.named().chain([("output", output)]).collect();
        Call { operands, packed: self.packed, ..Call::default() }
    }
}
