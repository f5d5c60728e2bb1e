//! How large things have become: what people look at while a model with learned offsets trains, since it fails by offsets that
//! explode. Reduced on the device; 16 bytes come back.

use std::ops::Range;

use super::checks::{check_dtype, check_shape};
use super::convolution::Geometry;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Call, Engine, Gpu, Tensor};
use crate::kernel::shared::window;
use crate::kernel::statistics::slices::SLICES;
use crate::kernel::statistics::{magnitude, offset_magnitude, reduce};
use crate::kernel::{Kernel, Params, Storage};
use crate::plan::{DeviceLimits, F32_BYTES, Len, MAX_LOOP_STEPS, Plan, WORKSPACE, Window, binding_too_large, split};

/// The size of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Magnitude {
    /// The mean of the absolute values, of those that are finite; infinite where their sum passes f32.
    pub mean: f32,
    /// The largest absolute value of those that are finite.
    pub largest: f32,
    /// The share of elements that are NaN or infinite.
    pub not_finite: f32,
}

/// How far the taps of a call are moved.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OffsetMagnitude {
    /// The offsets' size, in pixels.
    pub offset: Magnitude,
    /// The share of taps that sample nothing: outside the image by a pixel or more, or not finite.
    pub outside: f32,
}

/// The operator on one device.
#[derive(Debug)]
pub struct Statistics {
    engine: Engine<Of>,
}

#[derive(Debug, Clone, PartialEq)]
enum Of {
    Elements(usize),
    Offset(Box<Geometry>),
}

impl Statistics {
    /// The operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { engine: Engine::new(gpu) }
    }

    /// The size of an f32 tensor's elements: of a gradient, or a weight. Blocks; not on the web.
    ///
    /// # Errors
    /// [`Error::Dtype`](crate::Error::Dtype); [`Error::OtherDevice`](crate::Error::OtherDevice); [`Error::Device`](crate::Error::Device).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn magnitude(&self, tensor: &Tensor) -> Result<Magnitude> {
        pollster::block_on(self.magnitude_async(tensor))
    }

    /// [`Statistics::magnitude`] without blocking.
    ///
    /// # Errors
    /// As [`Statistics::magnitude`].
    pub async fn magnitude_async(&self, tensor: &Tensor) -> Result<Magnitude> {
        check_dtype("tensor", tensor, Dtype::F32)?;
        let elements = tensor.shape().iter().product::<usize>();
        let plan = || magnitude_plan(elements as u64, self.engine.gpu().limits());
        let total = self.run(&Of::Elements(elements), plan, ("elements", tensor)).await?;
        Ok(magnitude(total, elements))
    }

    /// How far the offsets of a call of these sizes move its taps. Blocks; not on the web.
    ///
    /// # Errors
    /// [`Error::Rank`](crate::Error::Rank), [`Error::Axis`](crate::Error::Axis), [`Error::Dtype`](crate::Error::Dtype) where the offset is not f32 of the geometry's shape; [`Error::BindingTooLarge`](crate::Error::BindingTooLarge) where one
    /// image's passes what the device binds; [`Error::OtherDevice`](crate::Error::OtherDevice); [`Error::Device`](crate::Error::Device).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn offset(&self, geometry: &Geometry, offset: &Tensor) -> Result<OffsetMagnitude> {
        pollster::block_on(self.offset_async(geometry, offset))
    }

    /// [`Statistics::offset`] without blocking.
    ///
    /// # Errors
    /// As [`Statistics::offset`].
    pub async fn offset_async(&self, geometry: &Geometry, offset: &Tensor) -> Result<OffsetMagnitude> {
        let g = *geometry;
        let shape = [g.batch, 2 * g.offset_groups * g.taps(), g.out_height, g.out_width];
        check_dtype("offset", offset, Dtype::F32)?;
        check_shape("offset", offset, &shape, "the geometry's")?;
        let plan = || offset_plan(&g, self.engine.gpu().limits());
        let total = self.run(&Of::Offset(Box::new(g)), plan, ("offset", offset)).await?;
        let elements = shape.iter().product::<usize>();
        Ok(OffsetMagnitude { offset: magnitude(total, elements), outside: total[3] / (elements / 2).max(1) as f32 })
    }

    async fn run(
        &self,
        key: &Of,
        plan: impl FnOnce() -> Result<Plan>,
        operand: (&'static str, &Tensor),
    ) -> Result<[f32; 4]> {
        let prepared = self.engine.prepare(key, plan)?;
        let total = Tensor::new(self.engine.gpu(), [4], Dtype::F32)?;
        self.engine.submit(&prepared, &Call { operands: vec![operand, ("total", &total)], ..Call::default() })?;
        let mut values = [0.0; 4];
        values.copy_from_slice(&total.download_async::<f32>().await?);
        Ok(values)
    }
}

fn magnitude([sum, largest, not_finite, _]: [f32; 4], elements: usize) -> Magnitude {
    let finite = (elements as f32 - not_finite).max(1.0);
    Magnitude { mean: sum / finite, largest, not_finite: not_finite / elements.max(1) as f32 }
}

/// Elements that the loop of one step may pass over.
fn most_elements(limits: &DeviceLimits) -> u64 {
    limits.max_window_elements().min((MAX_LOOP_STEPS - 2) * SLICES)
}

fn magnitude_plan(elements: u64, limits: &DeviceLimits) -> Result<Plan> {
    let parts = split(0..elements, most_elements(limits));
    with_reduce(limits, &magnitude::KERNEL, parts, |part| {
        let (window, base) = limits.window("elements", part.start, part.len());
        (window::Params { elements: part.len(), base }, window)
    })
}

fn offset_plan(g: &Geometry, limits: &DeviceLimits) -> Result<Plan> {
    let image = 2 * (g.offset_groups * g.taps() * g.out_pixels()) as u64;
    let most = most_elements(limits);
    if image > most {
        return Err(binding_too_large("one image's offset", Storage::F32, image, most));
    }
    let parts = split(0..g.batch as u64, most / image);
    with_reduce(limits, &offset_magnitude::KERNEL, parts, |images| {
        let elements = images.len() * image;
        let (window, base) = limits.window("offset", images.start * image, elements);
        (offset_magnitude::Params { geometry: g.tap_geometry(), all_taps: elements / 2, base }, window)
    })
}

/// Two steps for each part: `kernel` with what `step` makes of the part, and the one that adds its partial sums to the total.
fn with_reduce<P: Params>(
    limits: &DeviceLimits,
    kernel: &'static Kernel,
    parts: impl Iterator<Item = Range<u64>>,
    step: impl Fn(Range<u64>) -> (P, Window),
) -> Result<Plan> {
    let partial_bytes = SLICES * 4 * F32_BYTES;
    let partial = Window { operand: WORKSPACE, start: 0, bytes: partial_bytes };
    let (total, _) = limits.window("total", 0, 4);
    let mut steps = Vec::new();
    for part in parts {
        let follows = u64::from(!steps.is_empty());
        let (params, window) = step(part);
        steps.push(limits.step(kernel, Storage::F32, params, vec![window, partial], kernel.workgroups(SLICES))?);
        let params = reduce::Params { follows };
        steps.push(limits.step(&reduce::KERNEL, Storage::F32, params, vec![partial, total], 1)?);
    }
    Ok(Plan { steps, workspace_bytes: partial_bytes, ..Plan::default() })
}
