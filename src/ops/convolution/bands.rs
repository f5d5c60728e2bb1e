//! Bands: plans for images that no binding holds.
//!
//! The rows of two planes of an image lie as far apart as a plane is long, so a window over a few rows of all planes is
//! nearly as large as the image. If a binding cannot hold an image's offset, mask or output, the plan works on *bands*,
//! which are runs of output rows. It copies the rows of a band into scratch, where the planes follow each other, does
//! to the band what it would do to a small image, and copies the results back. The input is not cut, because a tap may
//! lie in any of its rows.

use super::geometry::{Band, Geometry};
use super::options::Options;
use crate::error::{Error, Result};
use crate::kernel::convolution::copy_rows;
use crate::kernel::{Sampling, Storage};
use crate::plan::{DeviceLimits, Len, Plan, Scratch, Size, Step, even, largest, split};

/// The bands' rows take at most this part of the workspace.
const SHARE_OF_WORKSPACE: u64 = 2;

/// An operand or a gradient whose rows are copied.
pub(super) struct Rows {
    pub(super) operand: &'static str,
    /// The name of the scratch that holds the rows of a band.
    pub(super) band: &'static str,
    pub(super) storage: Storage,
    /// Planes of one image.
    pub(super) planes: u64,
    pub(super) copied: Copied,
}

/// The direction in which rows are copied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Copied {
    /// Into the band, before its steps.
    In,
    /// From the band, after its steps.
    Out,
    /// From the band, and added to what is there.
    Added,
}

impl Rows {
    /// Returns the operands of which both passes read some rows.
    pub(super) fn offset_and_mask(g: &Geometry) -> impl Iterator<Item = Self> + use<> {
        let (storage, taps) = (g.storage, (g.offset_groups * g.taps()) as u64);
        let read = |operand, band, planes| Self { operand, band, storage, planes, copied: Copied::In };
        let offset = (g.sampling == Sampling::Deformed).then(|| read("offset", "offset_rows", 2 * taps));
        offset.into_iter().chain(g.has_mask.then(|| read("mask", "mask_rows", taps)))
    }

    /// Returns the output, as an operand that is read or as the result.
    pub(super) fn output(g: &Geometry, copied: Copied) -> Self {
        let planes = g.out_channels as u64;
        Self { operand: "output", band: "output_rows", storage: g.storage, planes, copied }
    }

    /// Returns the scratch for the rows of a band of `pixels` pixels.
    fn scratch(&self, pixels: u64) -> Scratch {
        let bytes = (self.planes * pixels * self.storage.bytes()).next_multiple_of(4);
        Scratch { name: self.band, size: Size::Bytes(bytes) }
    }

    /// Plans the copies between an operand and a band.
    fn copy(&self, g: &Geometry, limits: &DeviceLimits, band: &Geometry, plan: &mut Plan) -> Result<()> {
        let (plane, run) = (g.out_pixels() as u64, band.out_pixels() as u64);
        let first = band.band.image as u64 * self.planes * plane + (band.band.top * g.out_width) as u64;
        let per_window = 1 + (limits.max_operand_elements(self.storage) - run) / plane;
        for planes in split(0..self.planes, per_window) {
            let window = |operand, first: u64, stride: u64| {
                let elements = (planes.len() - 1) * stride + run;
                limits.operand_window(self.storage, operand, first + planes.start * stride, elements)
            };
            let whole = (window(self.operand, first, plane), plane);
            let part = (window(self.band, 0, run), run);
            let into = self.copied == Copied::In;
            let [((rows, rows_base), rows_stride), ((copied, copied_base), copied_stride)] =
                if into { [whole, part] } else { [part, whole] };
            let kernel = &copy_rows::KERNEL;
            let blocks = run.div_ceil(kernel.workgroup_size * copy_rows::ELEMENTS_PER_INVOCATION);
            let params = copy_rows::Params {
                run,
                blocks,
                planes: planes.len(),
                rows_stride,
                copied_stride,
                rows_base,
                copied_base,
                adds: (self.copied == Copied::Added).into(),
            };
            plan.push(limits.step(kernel, self.storage, params, vec![rows, copied], blocks * planes.len())?)?;
        }
        Ok(())
    }
}

/// Plans a call band by band, in as few steps as possible. `of_band` plans one band, with the names of the whole call's
/// operands and within its own workspace limit.
pub(super) fn plan(
    g: &Geometry,
    options: &Options,
    limits: &DeviceLimits,
    rows: &[Rows],
    of_band: impl Fn(&Geometry, &Options) -> Result<Plan>,
) -> Result<Plan> {
    let limit = options.workspace_limit;
    let pixels = |height: u64| height * g.out_width as u64;
    let bytes = |height: u64| rows.iter().map(|rows| rows.scratch(pixels(height)).bytes()).sum::<u64>();
    let fits = |height: u64| {
        bytes(height) <= limit / SHARE_OF_WORKSPACE
            && rows.iter().all(|rows| rows.planes * pixels(height) <= limits.max_operand_elements(rows.storage))
    };
    let by = |height: u64| {
        let bytes = bytes(height);
        let options = Options { workspace_limit: limit.saturating_sub(bytes), ..*options };
        let too_small = |needed| Err(Error::WorkspaceTooSmall { needed, got: limit });
        match of_height(g, limits, rows, height, |band| of_band(band, &options)) {
            Ok(plan) if plan.memory_bytes() > limit => too_small(plan.memory_bytes()),
            Err(Error::WorkspaceTooSmall { needed, .. }) => too_small(needed + bytes),
            planned => planned,
        }
    };
    let height = even(g.out_height as u64, largest(g.out_height as u64, fits));
    let mut best = by(height);
    // Lower bands leave more memory to the steps of a band, which pays up to a point.
    for height in std::iter::successors(Some(height / 2), |height| Some(height / 2)).take_while(|height| *height > 0) {
        match (&best, by(height)) {
            (Ok(best), Ok(plan)) if best.steps.len() <= plan.steps.len() => break,
            (Ok(_), Err(_)) => {}
            (_, planned) => best = planned,
        }
    }
    best
}

/// Plans a call in bands of `height` rows.
fn of_height(
    g: &Geometry,
    limits: &DeviceLimits,
    rows: &[Rows],
    height: u64,
    of_band: impl Fn(&Geometry) -> Result<Plan>,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut held: Vec<Step> = Vec::new();
    for image in 0..g.batch {
        for lines in split(0..g.out_height as u64, height) {
            let band = Geometry {
                batch: 1,
                out_height: usize::try_from(lines.len()).unwrap_or(usize::MAX),
                band: Band { image, top: usize::try_from(lines.start).unwrap_or(usize::MAX) },
                ..*g
            };
            let part = of_band(&band)?;
            let (weight_steps, others) = part.steps.split_at(part.weight_steps);
            let mut add = |steps: &[Step], plan: &mut Plan| {
                steps
                    .iter()
                    .cloned()
                    .map(|step| renamed(step, rows))
                    .try_for_each(|step| if is_held(&mut held, &step) { Ok(()) } else { plan.push(step) })
            };
            add(weight_steps, &mut plan)?;
            if plan.algorithm.is_empty() {
                plan.weight_steps = plan.steps.len();
                plan.notes = part.notes;
                plan.algorithm = part.algorithm;
            }
            let into = |rows: &&Rows| rows.copied == Copied::In;
            rows.iter().filter(into).try_for_each(|rows| rows.copy(g, limits, &band, &mut plan))?;
            add(others, &mut plan)?;
            let from = |rows: &&Rows| rows.copied != Copied::In;
            rows.iter().filter(from).try_for_each(|rows| rows.copy(g, limits, &band, &mut plan))?;
            plan.workspace_bytes = plan.workspace_bytes.max(part.workspace_bytes);
            part.scratch.into_iter().for_each(|scratch| hold(&mut plan.scratch, scratch));
        }
    }
    let bands = (g.out_height as u64).div_ceil(height);
    plan.scratch.extend(rows.iter().map(|rows| rows.scratch(height * g.out_width as u64)));
    plan.notes.push(format!(
        "a binding of {} bytes does not hold an image's {}, so each image is worked on in {bands} bands of {height} rows",
        limits.max_binding_bytes,
        rows.iter().map(|rows| rows.operand).collect::<Vec<_>>().join(" and "),
    ));
    Ok(plan)
}

/// Lets a step bind the rows of a band in the place of the whole operand.
fn renamed(mut step: Step, rows: &[Rows]) -> Step {
    for window in &mut step.windows {
        if let Some(rows) = rows.iter().find(|rows| rows.operand == window.operand) {
            window.operand = rows.band;
        }
    }
    step
}

/// Returns whether scratch holds what a step would write, because an earlier band had the same step. `held` are the
/// steps whose results are still there. They read only operands that stay the same from band to band.
fn is_held(held: &mut Vec<Step>, step: &Step) -> bool {
    const UNCHANGED: [&str; 3] = ["input", "weight", "bias"];
    if held.contains(step) {
        return true;
    }
    held.retain(|kept| !step.accesses().any(|(writes, operand)| writes && kept.writes(operand)));
    if step.accesses().all(|(writes, operand)| writes || UNCHANGED.contains(&operand)) {
        held.push(step.clone());
    }
    false
}

/// Adds scratch to a plan's, or lets the scratch of that name hold it, too.
fn hold(all: &mut Vec<Scratch>, scratch: Scratch) {
    match all.iter_mut().find(|known| known.name == scratch.name) {
        Some(known) => known.size = known.size.union(scratch.size),
        None => all.push(scratch),
    }
}
