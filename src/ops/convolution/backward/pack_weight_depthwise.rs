//! The packed weight of a depthwise convolution, from which grad_offset and grad_input compute the gradients of the
//! columns.

use super::pass::{Pass, Tiling};
use super::stage::{Progress, Stage};
use crate::error::Result;
use crate::ops::convolution::layout::Part;
use crate::ops::convolution::pack_weight_depthwise as packing;
use crate::plan::Scratch;

pub(super) const STAGE: Stage = Stage { wanted, scratch, steps, ..Stage::NOTHING };

fn wanted(pass: &Pass<'_>) -> bool {
    pass.wants_grad_column() && pass.layout.depthwise
}

pub(super) fn texture(pass: &Pass<'_>) -> Scratch {
    packing::texture(pass.g, &pass.layout)
}

fn scratch(pass: &Pass<'_>, _: &Tiling) -> Vec<Scratch> {
    vec![texture(pass)]
}

/// Packs the whole weight before the first part.
fn steps(pass: &Pass<'_>, _: &Tiling, _: &Part, progress: &mut Progress<'_>) -> Result<()> {
    let packed = texture(pass);
    if progress.lacks(packed.name, []) {
        progress.push(packing::step(pass.g, pass.limits, &pass.layout, &packed)?)?;
    }
    Ok(())
}
