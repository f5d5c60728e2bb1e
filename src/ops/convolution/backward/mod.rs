//! The plan of the backward pass: five gradients, each sum in one order, in parts of pixels and channels that fit the
//! workspace. Every stage has its file.
//!
//! ```text
//! for each image, part of its output pixels, chunk of input channels: pack_input, pack_grad_output, pack_taps four
//! channels per texel, and the position of each tap grad_column = weightᵀ · grad_output a matrix product grad_offset,
//! grad_mask, columns from one read of the corners sort the taps by their cells grad_input += … every row of cells
//! gathers; col2im without an offset grad_weight += grad_output · columnsᵀ a matrix product, or grad_weight_depthwise
//! ```
//!
//! Stages that nothing needs are left out. The file of a stage knows whether the stage is wanted, how much memory it
//! takes, how much it can do at once, and what its steps are.
//!
//! A depthwise convolution has no matrix products: the gradient of a column is a number of the weight times a number of
//! grad_output. Its stages compute that, and the columns, where they need them.

mod col2im;
mod fill_zero;
mod grad_bias;
mod grad_column;
mod grad_input;
mod grad_offset;
mod grad_weight;
mod grad_weight_depthwise;
mod pack_grad_output;
mod pack_taps;
mod pass;
mod tiling;

use std::ops::Range;

use self::pass::{Pass, Tiling};
use super::geometry::Geometry;
use super::gradients::{Gradients, Mode};
use super::layout::{Chunk, PACK, Part};
use super::options::Options;
use super::{pack_input, pack_weight_depthwise};
use crate::error::{Error, Result};
use crate::kernel::Storage;
use crate::plan::{DeviceLimits, Plan, split};

/// Plans the gradients of one call. `options.algorithm` decides how the matrix products are computed, and with them
/// whether the stages choose their sizes for a CPU:
///
/// | algorithm | products |
/// |---|---|
/// | [`Auto`](super::Algorithm::Auto), [`Depthwise`](super::Algorithm::Depthwise) | none for a depthwise convolution
/// with an offset; else by subgroups of 8 on a CPU driver that has them, and by kernels that run on every device
/// elsewhere |
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
    let pass = Pass::new(geometry, modes, options, limits)?;
    check_bindings(&pass)?;
    let mut plan = Plan { algorithm: pass.name().to_owned(), ..Plan::default() };
    fill_zero::steps(&pass, &mut plan)?;
    if geometry.batch > 0 && modes.bias.wanted() {
        plan.workspace_bytes = grad_bias::partial_bytes(&pass);
        (0..geometry.batch as u64).try_for_each(|image| grad_bias::steps(&pass, image, &mut plan))?;
    }
    if geometry.batch > 0 && (pass.wants_grad_column() || pass.wants_samples()) {
        parts(&pass, &mut plan)?;
    }
    let (needed, got) = (plan.memory_bytes(), options.workspace_limit);
    if needed > got { Err(Error::WorkspaceTooSmall { needed, got }) } else { Ok(plan) }
}

/// Checks that windows hold what no part can cut.
fn check_bindings(pass: &Pass<'_>) -> Result<()> {
    let g = pass.g;
    let out_pixels = g.out_pixels() as u64;
    for (what, elements) in [
        ("the weight", g.weight_elements() as u64),
        ("one offset group's offset", (g.offset_elements() / g.offset_groups) as u64),
        ("one pack of output channels", PACK.min(g.out_channels as u64) * out_pixels),
        ("one pack of input channels", PACK * g.in_pixels() as u64),
        ("the partial sums of grad_bias", grad_bias::partial_elements(pass)),
    ] {
        pass.limits.check_elements(what, Storage::F32, elements)?;
    }
    Ok(())
}

fn parts(pass: &Pass<'_>, plan: &mut Plan) -> Result<()> {
    let tiling = &tiling::choose(pass, plan.workspace_bytes)?;
    plan.workspace_bytes = plan.workspace_bytes.max(tiling::partial_bytes(pass, tiling));
    plan.scratch = tiling::scratch(pass, tiling);
    if pass.wants_grad_column() && pass.layout.depthwise {
        let packed = pack_weight_depthwise::texture(pass.g, &pass.layout);
        plan.push(pack_weight_depthwise::step(pass.g, pass.limits, &pass.layout, &packed)?)?;
    }
    let mut held = Held::default();
    for image in 0..pass.g.batch as u64 {
        for pixels in split(0..pass.g.out_pixels() as u64, tiling.pixels) {
            for chunk in tiling::chunks(pass, tiling) {
                let part = Part { image, pixels: pixels.clone(), chunk };
                part_steps(pass, tiling, &part, &mut held, plan)?;
            }
        }
    }
    Ok(())
}

/// The contents of the scratch at a point of the plan. Nothing that is there is computed again.
#[derive(Default)]
struct Held {
    input: Option<(u64, Chunk)>,
    grad_output: Option<(u64, Range<u64>, Chunk)>,
    taps: Option<(u64, Range<u64>, Range<u64>)>,
    weight: Option<Chunk>,
    order: Option<(u64, Range<u64>, Range<u64>)>,
}

/// Sets `held` to `wanted`, and returns whether it differed.
fn changes<T: PartialEq>(held: &mut Option<T>, wanted: T) -> bool {
    let changes = held.as_ref() != Some(&wanted);
    *held = Some(wanted);
    changes
}

/// Plans the stages of a part, in order.
fn part_steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, held: &mut Held, plan: &mut Plan) -> Result<()> {
    let Part { image, pixels, chunk } = part;
    if pass.wants_samples() && changes(&mut held.input, (*image, chunk.clone())) {
        let packed = pack_input::texture(pass.g, tiling.pack_count());
        plan.push(pack_input::step(pass.g, pass.limits, &pass.layout, *image, chunk, &packed)?)?;
    }
    let out_channels = pack_grad_output::out_channels(pass, chunk);
    if changes(&mut held.grad_output, (*image, pixels.clone(), out_channels)) {
        pack_grad_output::steps(pass, tiling, part, plan)?;
    }
    let taps = (*image, pixels.clone(), pass.layout.offset_groups(chunk));
    if pack_taps::wanted(pass) && changes(&mut held.taps, taps.clone()) {
        plan.push(pack_taps::step(pass, tiling, part)?)?;
    }
    if grad_column::wanted(pass) {
        let weight = grad_column::weight_chunk(pass, tiling, chunk);
        if changes(&mut held.weight, weight.clone()) {
            plan.push(grad_column::pack_weight(pass, tiling, &weight)?)?;
        }
        plan.push(grad_column::step(pass, tiling, part)?)?;
    }
    if grad_offset::wanted(pass) {
        plan.push(grad_offset::step(pass, tiling, part)?)?;
    }
    if col2im::wanted(pass) {
        plan.push(col2im::step(pass, tiling, part)?)?;
    }
    if grad_input::wanted(pass) {
        if changes(&mut held.order, taps) {
            grad_input::sort_steps(pass, tiling, part, plan)?;
        }
        grad_input::steps(pass, tiling, part, plan)?;
    }
    if grad_weight::wanted(pass) {
        grad_weight::steps(pass, tiling, part, plan)?;
    }
    if grad_weight_depthwise::wanted(pass) {
        grad_weight_depthwise::steps(pass, tiling, part, plan)?;
    }
    Ok(())
}
