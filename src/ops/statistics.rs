//! Magnitudes of tensors and offsets. They are worth watching while a model with learned offsets trains, because such a
//! model fails when its offsets explode. The device reduces them, and a call downloads 16 bytes.

use std::ops::Range;

use super::convolution::Geometry;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Call, Engine, Expected, Gpu, Planned, Tensor};
use crate::kernel::shared::window;
use crate::kernel::statistics::slices::SLICES;
use crate::kernel::statistics::{magnitude, offset_magnitude, reduce};
use crate::kernel::{Kernel, Params, Storage};
use crate::plan::{DeviceLimits, F32_BYTES, Len, MAX_LOOP_STEPS, Plan, WORKSPACE, Window, binding_too_large, split};

/// The magnitude of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Magnitude {
    /// The mean absolute value of the finite elements. It is infinite if their sum exceeds the range of f32.
    pub mean: f32,
    /// The largest absolute value of the finite elements.
    pub largest: f32,
    /// The share of elements that are NaN or infinite.
    pub not_finite: f32,
}

/// The distances by which offsets move the taps of a call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OffsetMagnitude {
    /// The magnitude of the offsets, in pixels.
    pub offset: Magnitude,
    /// The share of taps that sample nothing, because they are outside the image by a pixel or more or are not finite.
    pub outside: f32,
}

/// The operator on one device.
#[derive(Debug)]
pub struct Statistics {
    engine: Engine<Of>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Of {
    Elements(Vec<usize>),
    Offset(Box<Geometry>),
}

impl Statistics {
    /// Makes the operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { engine: Engine::new(gpu) }
    }

    /// Computes the magnitude of an f32 tensor, such as a gradient or a weight. Blocks, so it is not available on the
    /// web.
    ///
    /// # Errors
    /// Returns [`Error::Dtype`](crate::Error::Dtype), [`Error::OtherDevice`](crate::Error::OtherDevice) or
    /// [`Error::Device`](crate::Error::Device).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn magnitude(&self, tensor: &Tensor) -> Result<Magnitude> {
        pollster::block_on(self.magnitude_async(tensor))
    }

    /// [`Statistics::magnitude`] without blocking.
    ///
    /// # Errors
    /// The same as [`Statistics::magnitude`].
    pub async fn magnitude_async(&self, tensor: &Tensor) -> Result<Magnitude> {
        let shape = tensor.shape();
        let elements = shape.iter().product::<usize>();
        let plan = || magnitude_plan(elements as u64, self.engine.gpu().limits());
        let total = self.run(&Of::Elements(shape.to_vec()), plan, shape, ("elements", tensor)).await?;
        Ok(magnitude(total, elements))
    }

    /// Computes the distances by which the offset moves the taps of a call with this geometry. Blocks, so it is not
    /// available on the web.
    ///
    /// # Errors
    /// Returns [`Error::Rank`](crate::Error::Rank), [`Error::Axis`](crate::Error::Axis) or
    /// [`Error::Dtype`](crate::Error::Dtype) if the offset is not f32 or does not fit the geometry,
    /// [`Error::BindingTooLarge`](crate::Error::BindingTooLarge) if the offset of one image exceeds the device's
    /// binding limit, [`Error::OtherDevice`](crate::Error::OtherDevice), or [`Error::Device`](crate::Error::Device).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn offset(&self, geometry: &Geometry, offset: &Tensor) -> Result<OffsetMagnitude> {
        pollster::block_on(self.offset_async(geometry, offset))
    }

    /// [`Statistics::offset`] without blocking.
    ///
    /// # Errors
    /// The same as [`Statistics::offset`].
    pub async fn offset_async(&self, geometry: &Geometry, offset: &Tensor) -> Result<OffsetMagnitude> {
        let g = *geometry;
        let shape = [g.batch, 2 * g.offset_groups * g.taps(), g.out_height, g.out_width];
        let plan = || offset_plan(&g, self.engine.gpu().limits());
        let total = self.run(&Of::Offset(Box::new(g)), plan, &shape, ("offset", offset)).await?;
        let elements = shape.iter().product::<usize>();
        Ok(OffsetMagnitude { offset: magnitude(total, elements), outside: total[3] / (elements / 2).max(1) as f32 })
    }

    async fn run(
        &self,
        key: &Of,
        plan: impl FnOnce() -> Result<Plan>,
        shape: &[usize],
        operand: (&'static str, &Tensor),
    ) -> Result<[f32; 4]> {
        let planned = || {
            let expected = |(operand, shape): (_, &[usize])| Expected {
                operand,
                shape: shape.to_vec(),
                dtype: Dtype::F32,
                because: "the geometry's",
            };
            let operands = [(operand.0, shape), ("total", &[4])].map(expected).into();
            Ok(Planned { plan: plan()?, operands, ..Planned::default() })
        };
        let prepared = self.engine.keep(self.engine.prepare::<Self>(key, planned)?);
        let total = Tensor::new(self.engine.gpu(), [4], Dtype::F32)?;
        prepared.submit_call(&Call { operands: vec![operand, ("total", &total)], ..Call::default() })?;
        let mut values = [0.0; 4];
        values.copy_from_slice(&total.download_async::<f32>().await?);
        Ok(values)
    }
}

fn magnitude([sum, largest, not_finite, _]: [f32; 4], elements: usize) -> Magnitude {
    let finite = (elements as f32 - not_finite).max(1.0);
    Magnitude { mean: sum / finite, largest, not_finite: not_finite / elements.max(1) as f32 }
}

/// Returns the largest number of elements that one step may loop over.
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

/// Plans two steps for each part: `kernel` with the parameters that `step` returns for the part, and the reduction of
/// its partial sums to the total.
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
