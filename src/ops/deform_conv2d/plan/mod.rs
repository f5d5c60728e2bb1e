//! From a geometry and a device's limits to dispatches, one file an algorithm.

mod columns;
mod fused_subgroup;

use std::ops::Range;

use columns::Columns;
use fused_subgroup::FusedSubgroup;

use super::{Algorithm, Geometry, Options};
use crate::plan::{DeviceLimits, F32_BYTES, MAX_STEPS, Plan, Step};
use crate::{Error, Result};

/// The plan for one call.
///
/// # Errors
/// [`Error::WorkspaceTooSmall`] where `options.workspace_limit` cannot hold the smallest piece of the work;
/// [`Error::BindingTooLarge`] where a single plane of an operand passes the device's limit; [`Error::TooManySteps`];
/// [`Error::Unsuitable`] where `options.algorithm` asks for one that this device or geometry cannot have;
/// [`Error::TooLarge`] for a grid that a device with less than WebGPU's limits cannot dispatch.
pub fn plan(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    if geometry.batch == 0 {
        return Ok(Plan::default());
    }
    match options.algorithm {
        Algorithm::Auto => match FusedSubgroup::new(geometry, options, limits) {
            Ok(fused) => fused.plan(),
            Err(_) => Columns::new(geometry, options, limits)?.plan(),
        },
        Algorithm::Columns => Columns::new(geometry, options, limits)?.plan(),
        Algorithm::FusedSubgroup => FusedSubgroup::new(geometry, options, limits)?.plan(),
    }
}

fn binding_too_large(what: &'static str, elements: u64, window: u64) -> Error {
    Error::BindingTooLarge { what, bytes: elements * F32_BYTES, limit: window * F32_BYTES }
}

fn push(steps: &mut Vec<Step>, step: Step) -> Result<()> {
    steps.push(step);
    let count = steps.len() as u64;
    if count > MAX_STEPS { Err(Error::TooManySteps { steps: count, limit: MAX_STEPS }) } else { Ok(()) }
}

/// `range` in consecutive parts of `size`, the last one shorter where it must be.
fn split(range: Range<u64>, size: u64) -> impl Iterator<Item = Range<u64>> {
    let size = size.max(1);
    (0..range.len().div_ceil(size)).map(move |n| {
        let start = range.start + n * size;
        start..range.end.min(start.saturating_add(size))
    })
}

/// A range's length in u64, which `std` offers only for ranges of `usize` and smaller.
trait Len {
    fn len(&self) -> u64;
}

impl Len for Range<u64> {
    fn len(&self) -> u64 {
        self.end - self.start
    }
}
