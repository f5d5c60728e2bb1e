//! The gradient of an ordinary convolution's input: every pixel gathers the gradients of the columns that read it.

use super::grad_column;
use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use crate::error::Result;
use crate::kernel::Sampling;
use crate::kernel::backward::col2im;
use crate::ops::convolution::layout::Part;
use crate::plan::{Len, MAX_LOOP_STEPS, Step};

pub(super) const STAGE: Stage = Stage { wanted, fits, limit: LIMIT, steps, ..Stage::NOTHING };

const LIMIT: &str = "the kernel has more taps than one loop adds, or a pack of the gradient is larger than a binding";

fn wanted(pass: &Pass<'_>) -> bool {
    pass.modes.input.wanted() && pass.g.sampling == Sampling::Regular
}

/// Returns whether the loop over the taps is short enough, and whether a window holds the channels.
fn fits(pass: &Pass<'_>, tiling: &Tiling) -> bool {
    pass.g.taps() as u64 + 1 < MAX_LOOP_STEPS && pass.window_holds_channels(tiling)
}

fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    // The gathering does not read the input, so the part with the first of its rows does it for all.
    if part.input_rows.start > 0 {
        return Ok(());
    }
    progress.push(step(pass, tiling, part)?)
}

fn step(pass: &Pass<'_>, tiling: &Tiling, part: &Part) -> Result<Step> {
    let (g, chunk) = (pass.g, &part.chunk);
    let (grad_input, grad_input_base) = pass.grad_input(part);
    let invocations = chunk.pack_count() * g.in_pixels() as u64 * part.images.len();
    let params = col2im::Params {
        geometry: g.tap_geometry(),
        first_pixel: part.pixels.start,
        pixels: part.pixel_count(),
        padded_pixels: padded(part),
        segment_channels: pass.layout.segment_channels,
        segment_packs: chunk.packs.len(),
        pack_start: chunk.packs.start,
        packs: chunk.pack_count(),
        invocations,
        image_stride: pass.grad_input_stride(&part.images),
        grad_input_base,
    };
    let windows = vec![grad_column::buffer(pass, tiling).window(), grad_input];
    pass.step(&col2im::KERNEL, params, windows, col2im::KERNEL.workgroups(invocations))
}
