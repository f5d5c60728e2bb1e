//! The plan of the backward pass: five gradients, each sum in one order, in parts of images, pixels and channels that
//! fit the workspace. Every stage has its file; `stages.rs` lists them in order.
//!
//! ```text
//! for each part of the images, of their output pixels, of the input channels (or of the channels, then of the pixels):
//!     pack_input, pack_grad_output, pack_taps       four channels per texel, and the position of each tap
//!     grad_column = weightᵀ · grad_output           a matrix product
//!     grad_offset, grad_mask, columns               from one read of the corners
//!     sort                                          the taps by their cells
//!     grad_input += …                               every row of cells gathers; col2im without an offset
//!     grad_weight += grad_output · columnsᵀ         a matrix product, or grad_weight_depthwise
//! ```
//!
//! Stages that nothing needs are left out. The file of a stage knows whether the stage is wanted, how much memory it
//! takes, how much it can do at once, and what its steps are.
//!
//! A depthwise convolution has no matrix products: the gradient of a column is a number of the weight times a number of
//! grad_output. Its stages compute that, and the columns, where they need them. Weight groups of few channels have no
//! matrix products either; the gradients of their columns are stored.

mod col2im;
mod fill_zero;
mod grad_bias;
mod grad_column;
mod grad_input;
mod grad_offset;
mod grad_weight;
mod grad_weight_depthwise;
mod pack_grad_output;
mod pack_input;
mod pack_taps;
mod pack_weight_depthwise;
mod pass;
mod stage;
mod stages;
mod tiling;

use self::pass::Pass;
use self::stage::Progress;
use super::algorithm::Algorithm;
use super::bands::{self, Copied, Rows};
use super::geometry::Geometry;
use super::gradients::{Gradients, Mode};
use super::layout::Part;
use super::notes;
use super::options::Options;
use crate::error::{Error, Result};
use crate::kernel::Storage;
use crate::ops::activation::Activation;
use crate::plan::{DeviceLimits, Plan, split};

/// Plans the gradients of one call. `options.algorithm` decides how the matrix products are computed, and with them
/// whether the stages choose their sizes for a CPU:
///
/// | algorithm | products |
/// |---|---|
/// | [`Auto`](super::Algorithm::Auto), [`Depthwise`](super::Algorithm::Depthwise) | none for weight groups of few channels, with an offset; else by subgroups of 8 on a CPU driver that has them, and elsewhere by kernels that run on every device |
/// | [`FusedSubgroup`](super::Algorithm::FusedSubgroup) | by subgroups of 8, on every device that has them |
/// | all others | by kernels that run on every device |
///
/// # Errors
/// The same as [`plan`](super::plan).
pub fn plan_backward(
    geometry: &Geometry,
    modes: &Gradients<Mode>,
    options: &Options,
    limits: &DeviceLimits,
) -> Result<Plan> {
    let by = |options: &Options| match gradients(geometry, modes, options, limits, true) {
        Err(error @ (Error::Unsuitable { .. } | Error::WorkspaceTooSmall { .. }))
            if options.algorithm == Algorithm::Auto && geometry.has_small_groups() =>
        {
            // The sums for a gradient of the weight without a product may exceed a small binding or workspace.
            let needed = |error: &Error| match error {
                Error::WorkspaceTooSmall { needed, .. } => *needed,
                _ => u64::MAX,
            };
            match gradients(geometry, modes, options, limits, false) {
                Ok(mut plan) => {
                    plan.notes.push(format!("not without a product: {error}"));
                    Ok(plan)
                }
                Err(other) => Err(if needed(&other) <= needed(&error) { other } else { error }),
            }
        }
        planned => planned,
    };
    let mut plan = by(options)?;
    notes::of_cuts(&mut plan, options, by);
    notes::refuse(plan, options)
}

fn gradients(
    geometry: &Geometry,
    modes: &Gradients<Mode>,
    options: &Options,
    limits: &DeviceLimits,
    may_be_depthwise: bool,
) -> Result<Plan> {
    let pass = Pass::new(geometry, modes, options, limits, may_be_depthwise)?;
    if !needs_bands(&pass) {
        stages::wanted(&pass).try_for_each(|stage| (stage.check)(&pass))?;
    }
    if grad_bias::wanted(&pass) {
        grad_bias::check(&pass)?;
    }
    let mut plan = Plan { algorithm: pass.name().to_owned(), ..Plan::default() };
    fill_zero::steps(&pass, &mut plan)?;
    if geometry.batch > 0 && grad_bias::wanted(&pass) {
        plan.workspace_bytes = grad_bias::partial_bytes(&pass);
        grad_bias::steps(&pass, &mut plan)?;
    }
    if geometry.batch > 0 && (pass.wants_grad_column() || pass.wants_samples()) {
        if needs_bands(&pass) { in_bands(&pass, &mut plan)? } else { parts(&pass, &mut plan)? }
    }
    let (needed, got) = (plan.memory_bytes(), options.workspace_limit);
    if needed > got { Err(Error::WorkspaceTooSmall { needed, got }) } else { Ok(plan) }
}

/// Returns whether a window cannot hold what one image has of the offsets of an offset group, or of a pack of the
/// gradient of the output.
fn needs_bands(pass: &Pass<'_>) -> bool {
    let planes = (pass.g.offset_elements() / pass.g.offset_groups / pass.g.out_pixels()) as u64;
    planes.max(pass.layout.pack_rows) * pass.g.out_pixels() as u64 > pass.window_elements()
}

/// Plans the gradients, except that by the bias, band by band. The gradients that all bands add to are zeros already.
fn in_bands(pass: &Pass<'_>, plan: &mut Plan) -> Result<()> {
    let added = |mode: Mode| if mode.wanted() { Mode::Add } else { Mode::Skip };
    let written = |mode: Mode| if mode.wanted() { Mode::Write } else { Mode::Skip };
    let modes = &Gradients {
        input: added(pass.modes.input),
        offset: written(pass.modes.offset),
        weight: added(pass.modes.weight),
        mask: written(pass.modes.mask),
        bias: Mode::Skip,
    };
    let workspace_bytes = plan.workspace_bytes;
    let of_band = |band: &Geometry, options: &Options| {
        let pass = Pass::new(band, modes, options, pass.limits, pass.layout.depthwise)?;
        stages::wanted(&pass).try_for_each(|stage| (stage.check)(&pass))?;
        let mut plan = Plan { algorithm: pass.name().to_owned(), workspace_bytes, ..Plan::default() };
        parts(&pass, &mut plan)?;
        Ok(plan)
    };
    let banded = bands::plan(pass.g, pass.options, pass.limits, &rows(pass), of_band)?;
    banded.steps.into_iter().try_for_each(|step| plan.push(step))?;
    plan.workspace_bytes = plan.workspace_bytes.max(banded.workspace_bytes);
    plan.scratch = banded.scratch;
    plan.notes = banded.notes;
    Ok(())
}

/// Returns the operands and gradients of which bands take some rows.
fn rows(pass: &Pass<'_>) -> Vec<Rows> {
    let g = pass.g;
    let taps = (g.offset_groups * g.taps()) as u64;
    let output = (g.activation != Activation::Identity).then(|| Rows::output(g, Copied::In));
    let grad_output = Rows { operand: "grad_output", band: "grad_output_rows", ..Rows::output(g, Copied::In) };
    let gradient = |mode: Mode, operand, band, planes| {
        let copied = if mode == Mode::Add { Copied::Added } else { Copied::Out };
        mode.wanted().then_some(Rows { operand, band, storage: Storage::F32, planes, copied })
    };
    let grad_offset = gradient(pass.modes.offset, "grad_offset", "grad_offset_rows", 2 * taps);
    let grad_mask = gradient(pass.modes.mask, "grad_mask", "grad_mask_rows", taps);
    let given = Rows::offset_and_mask(g).chain(output).chain([grad_output]);
    given.chain(grad_offset).chain(grad_mask).collect()
}

fn parts(pass: &Pass<'_>, plan: &mut Plan) -> Result<()> {
    let tiling = &tiling::choose(pass, plan.workspace_bytes)?;
    let memory = tiling::Memory::new(pass, tiling);
    plan.workspace_bytes = plan.workspace_bytes.max(memory.workspace_bytes);
    plan.scratch = memory.scratch;
    let mut progress = Progress::new(plan);
    for images in split(0..pass.g.batch as u64, tiling.images) {
        for (pixels, chunk, input_rows) in tiling::order(pass, tiling) {
            let part = Part { images: images.clone(), pixels, chunk, input_rows };
            stages::wanted(pass).try_for_each(|stage| (stage.steps)(pass, tiling, &part, &mut progress))?;
        }
    }
    Ok(())
}
