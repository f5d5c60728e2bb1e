//! From a geometry and a device's limits to dispatches, one file an algorithm.

mod backward;
mod choice;
mod columns;
mod depthwise;
mod direct;
mod fused_subgroup;
mod fused_tiled;
mod images;
mod packed_input;

use columns::Columns;
use fused_subgroup::FusedSubgroup;
use fused_tiled::FusedTiled;

pub use backward::plan_backward;
pub use choice::choice;

use super::geometry::MAX_POSITION;
use super::{Algorithm, Geometry, Options};
use crate::kernel::shared::tap_geometry;
use crate::ops::{Len, binding_too_large, split};
use crate::plan::{DeviceLimits, MAX_STEPS, Plan, Step};
use crate::{Error, Result};

/// The plan for one call.
///
/// # Errors
/// [`Error::WorkspaceTooSmall`] where `options.workspace_limit` cannot hold the smallest piece of the work;
/// [`Error::BindingTooLarge`] where a single plane of an operand passes the device's limit; [`Error::TooManySteps`];
/// [`Error::Unsuitable`] where the device or geometry cannot have the algorithm asked for, or, in f16, any;
/// [`Error::TooLarge`] for a grid that a device with less than WebGPU's limits cannot dispatch.
pub fn plan(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let mut plan = linear(geometry, options, limits)?;
    let elements = geometry.output_shape().iter().product::<usize>() as u64;
    for part in split(0..elements, limits.max_operand_elements(geometry.storage)) {
        if let Some(step) = geometry.activation.step(limits, geometry.storage, part)? {
            push(&mut plan.steps, step)?;
        }
    }
    Ok(plan)
}

/// All but the activation.
fn linear(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    if geometry.batch == 0 {
        return Ok(Plan::default());
    }
    if options.algorithm != Algorithm::Auto {
        return plan_by(options.algorithm, geometry, options, limits);
    }
    let candidates = choice(geometry, limits).into_iter();
    let plans = candidates.chain([Algorithm::Columns]).map(|algorithm| plan_by(algorithm, geometry, options, limits));
    // Of the errors the last that a larger workspace or device would mend: the columns need the least. (An algorithm that is
    // unsuitable was not asked for.)
    let mut shown = None;
    for plan in plans {
        match plan {
            Ok(plan) => return Ok(plan),
            Err(error @ Error::Unsuitable { .. }) => shown = shown.or(Some(error)),
            Err(error) => shown = Some(error),
        }
    }
    Err(shown.unwrap_or_else(|| unsuitable(Algorithm::Auto, "nothing was tried".to_owned())))
}

fn plan_by(algorithm: Algorithm, geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let plan = match algorithm {
        Algorithm::Auto | Algorithm::Columns => Columns::new(geometry, options, limits)?.plan(),
        Algorithm::Direct => direct::plan(geometry, limits),
        Algorithm::Depthwise => depthwise::plan(geometry, options, limits),
        Algorithm::FusedSubgroup => FusedSubgroup::new(geometry, options, limits)?.plan(),
        Algorithm::FusedTiled { tile, splits } => FusedTiled::new(geometry, options, limits, tile, splits)?.plan(),
    };
    Ok(Plan { algorithm: algorithm.to_string(), ..plan? })
}

fn unsuitable(algorithm: Algorithm, reason: String) -> Error {
    Error::Unsuitable { algorithm: algorithm.to_string(), reason }
}

fn push(steps: &mut Vec<Step>, step: Step) -> Result<()> {
    steps.push(step);
    let count = steps.len() as u64;
    if count > MAX_STEPS { Err(Error::TooManySteps { steps: count, limit: MAX_STEPS }) } else { Ok(()) }
}

impl Geometry {
    /// The words by which kernels find where taps sample.
    pub(in crate::ops) fn tap_geometry(&self) -> tap_geometry::TapGeometry {
        // A longer stride takes one pixel as well, and a kernel of one tap may have any dilation.
        let most = |step: usize| (step as u64).min(MAX_POSITION);
        tap_geometry::TapGeometry {
            in_height: self.in_height as u64,
            in_width: self.in_width as u64,
            out_width: self.out_width as u64,
            out_pixels: self.out_pixels() as u64,
            kernel_width: self.kernel_width as u64,
            taps: self.taps() as u64,
            stride_h: most(self.stride[0]),
            stride_w: most(self.stride[1]),
            pad_h: self.padding[0] as u64,
            pad_w: self.padding[1] as u64,
            dil_h: most(self.dilation[0]),
            dil_w: most(self.dilation[1]),
        }
    }
}
