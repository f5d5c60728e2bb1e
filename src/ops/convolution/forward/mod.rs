//! The plans of the forward pass: one file per algorithm.

mod choice;
mod columns;
mod depthwise;
mod direct;
mod fused_subgroup;
mod fused_tiled;

pub use choice::choice;

use super::algorithm::Algorithm;
use super::geometry::Geometry;
use super::options::Options;
use crate::error::{Error, Result};
use crate::plan::{DeviceLimits, Plan};

/// Plans the output of one call.
///
/// # Errors
/// Returns [`Error::WorkspaceTooSmall`] if `options.workspace_limit` cannot hold the smallest chunk of the
/// work, [`Error::BindingTooLarge`] if a part that the algorithm cannot cut exceeds the device's binding limit,
/// [`Error::TooManySteps`], [`Error::Unsuitable`] if the chosen algorithm (or, in f16, every algorithm) does not suit
/// the device or the geometry, or [`Error::TooLarge`] if a device with less than WebGPU's limits cannot dispatch the
/// grid.
pub fn plan(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let mut plan = linear(geometry, options, limits)?;
    let elements = geometry.output_shape().iter().product::<usize>() as u64;
    geometry.activation.push_steps(&mut plan, limits, geometry.storage, elements)?;
    Ok(plan)
}

/// Plans the output without the activation.
fn linear(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    if geometry.batch == 0 {
        return Ok(Plan::default());
    }
    if options.algorithm != Algorithm::Auto {
        return plan_by(options.algorithm, geometry, options, limits);
    }
    // Reports the last error that is not `Unsuitable`. It belongs to the columns if they failed so, and they need the
    // least memory. The caller did not ask for a certain algorithm, so `Unsuitable` is reported only if there is no
    // other error.
    let mut shown = None;
    for algorithm in choice(geometry, limits).into_iter().chain([Algorithm::Columns]) {
        match plan_by(algorithm, geometry, options, limits) {
            Ok(plan) => return Ok(plan),
            Err(error @ Error::Unsuitable { .. }) => shown = shown.or(Some(error)),
            Err(error) => shown = Some(error),
        }
    }
    Err(shown.unwrap_or_else(|| Algorithm::Auto.unsuitable("nothing was tried".to_owned())))
}

fn plan_by(algorithm: Algorithm, geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let plan = match algorithm {
        Algorithm::Auto | Algorithm::Columns => columns::plan(geometry, options, limits),
        Algorithm::Direct => direct::plan(geometry, limits),
        Algorithm::Depthwise => depthwise::plan(geometry, options, limits),
        Algorithm::FusedSubgroup => fused_subgroup::plan(geometry, options, limits),
        Algorithm::FusedTiled { tile, splits } => fused_tiled::plan(geometry, options, limits, tile, splits),
    };
    Ok(Plan { algorithm: algorithm.to_string(), ..plan? })
}
