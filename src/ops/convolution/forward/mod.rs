//! The plans of the forward pass: one file per algorithm.

mod choice;
mod columns;
mod depthwise;
mod direct;
mod fused_subgroup;
mod fused_tiled;
mod model;

pub use choice::choice;
pub use model::estimate;

use super::algorithm::{Algorithm, Tile};
use super::bands::{self, Copied, Rows};
use super::geometry::Geometry;
use super::notes;
use super::options::Options;
use super::windows::Images;
use crate::error::{Error, Result};
use crate::plan::{DeviceLimits, Plan};

/// Plans the output of one call.
///
/// # Errors
/// Returns [`Error::WorkspaceTooSmall`] if `options.workspace_limit` cannot hold the smallest chunk of the
/// work, [`Error::BindingTooLarge`] if a part that the algorithm cannot cut exceeds the device's binding limit,
/// [`Error::TooManySteps`], [`Error::Unsuitable`] if the chosen algorithm, or for [`Algorithm::Auto`] every algorithm,
/// cannot compute the call on the device, [`Error::TooLarge`] if a device with less than WebGPU's limits cannot dispatch
/// the grid, or [`Error::Slow`] if `options` refuse such a plan.
pub fn plan(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let mut plan = linear(geometry, options, limits)?;
    notes::of_cuts(&mut plan, options, |options| linear(geometry, options, limits));
    let elements = geometry.output_shape().iter().product::<usize>() as u64;
    geometry.activation.push_steps(&mut plan, limits, geometry.storage, elements)?;
    notes::refuse(plan, options)
}

/// Plans the output without the activation.
fn linear(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    if geometry.batch == 0 {
        return Ok(Plan::default());
    }
    // Columns cuts the planes itself.
    if options.algorithm == Algorithm::Columns || Images::new(geometry, limits).hold_an_image() {
        return whole_images(geometry, options, limits);
    }
    let first = match options.algorithm {
        Algorithm::Auto => choice(geometry, limits).first().copied(),
        algorithm => Some(algorithm),
    };
    // This one cuts taps and output channels, which is faster where it can.
    if first == Some(Algorithm::FusedSubgroup)
        && let Ok(plan) = plan_by(Algorithm::FusedSubgroup, geometry, options, limits)
    {
        return Ok(plan);
    }
    let of_band = |band: &Geometry, options: &Options| whole_images(band, options, limits);
    let output = Rows::output(geometry, Copied::Out);
    let rows: Vec<_> = Rows::offset_and_mask(geometry).chain([output]).collect();
    match bands::plan(geometry, options, limits, &rows, of_band) {
        Err(_) if options.algorithm == Algorithm::Auto => whole_images(geometry, options, limits),
        planned => planned,
    }
}

/// Plans the output in steps that bind whole images of all operands but the input.
fn whole_images(geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    if options.algorithm != Algorithm::Auto {
        return plan_by(options.algorithm, geometry, options, limits);
    }
    let mut failed = Vec::new();
    for algorithm in choice(geometry, limits).into_iter().chain(last_resorts(geometry)) {
        if failed.iter().any(|(tried, _)| *tried == algorithm) {
            continue;
        }
        match plan_by(algorithm, geometry, options, limits) {
            Ok(mut plan) => {
                plan.notes.extend(failed.iter().map(|(tried, error)| format!("not by {tried}: {error}")));
                return Ok(plan);
            }
            Err(error) => failed.push((algorithm, error)),
        }
    }
    Err(of_all(failed))
}

/// Returns the algorithms that `Auto` tries if the device or the workspace allows none of its choice.
fn last_resorts(geometry: &Geometry) -> impl Iterator<Item = Algorithm> {
    let tiled = Algorithm::FusedTiled { tile: Tile::M32N32, splits: 1 };
    let depthwise = geometry.has_small_groups().then_some(Algorithm::Depthwise);
    [Algorithm::Columns, Algorithm::FusedSubgroup, tiled, Algorithm::Direct].into_iter().chain(depthwise)
}

/// Returns one error for all algorithms: the smallest workspace with which one would do, or the reason of each.
fn of_all(failed: Vec<(Algorithm, Error)>) -> Error {
    let needs = failed.iter().filter_map(|(_, error)| match error {
        Error::WorkspaceTooSmall { needed, got } => Some((*needed, *got)),
        _ => None,
    });
    if let Some((needed, got)) = needs.min() {
        return Error::WorkspaceTooSmall { needed, got };
    }
    let reasons: Vec<_> = failed
        .iter()
        .map(|(algorithm, error)| match error {
            Error::Unsuitable { reason, .. } => format!("{algorithm}: {reason}"),
            error => format!("{algorithm}: {error}"),
        })
        .collect();
    Algorithm::Auto.unsuitable(reasons.join("; "))
}

fn plan_by(algorithm: Algorithm, geometry: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let plan = match algorithm {
        Algorithm::Auto | Algorithm::Columns => columns::plan(geometry, options, limits),
        Algorithm::Direct => direct::plan(geometry, limits),
        Algorithm::Depthwise => depthwise::plan(geometry, options, limits),
        Algorithm::FusedSubgroup => fused_subgroup::plan(geometry, options, limits),
        Algorithm::FusedTiled { tile, splits } => {
            fused_tiled::plan(geometry, options, limits, tile.variant(), splits, false)
        }
        Algorithm::FusedPacked { tile, splits } => {
            fused_tiled::plan(geometry, options, limits, tile.packed_variant(), splits, true)
        }
    };
    Ok(Plan { algorithm: algorithm.to_string(), ..plan? })
}
