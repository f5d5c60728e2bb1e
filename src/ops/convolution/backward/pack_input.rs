//! The packed input of a part, which the stages sample.

use super::pass::{Pass, Tiling};
use super::stage::{Progress, Stage};
use crate::error::Result;
use crate::kernel::Storage;
use crate::ops::convolution::layout::{PACK, Part};
use crate::plan::Scratch;

pub(super) const STAGE: Stage = Stage { wanted, check, scratch, fits, limit: LIMIT, steps, ..Stage::NOTHING };

const LIMIT: &str = "a pack of input channels has more pixels than one binding holds";

fn wanted(pass: &Pass<'_>) -> bool {
    pass.wants_samples()
}

fn check(pass: &Pass<'_>) -> Result<()> {
    let elements = PACK.min(pass.layout.segment_channels) * pass.g.in_pixels() as u64;
    pass.limits.check_elements("one pack of input channels", Storage::F32, elements)
}

pub(super) fn texture(pass: &Pass<'_>, tiling: &Tiling) -> Scratch {
    pass.planes(tiling).texture(tiling.pack_count())
}

fn scratch(pass: &Pass<'_>, tiling: &Tiling) -> Vec<Scratch> {
    vec![texture(pass, tiling)]
}

fn fits(pass: &Pass<'_>, tiling: &Tiling) -> bool {
    pass.window_holds_channels(tiling)
}

fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    let Part { images, chunk, input_rows, .. } = part;
    let packed = texture(pass, tiling);
    let from = [images.clone(), input_rows.clone(), chunk.segments.clone(), chunk.packs.clone()];
    if progress.lacks(packed.name, from) {
        let planes = pass.planes(tiling);
        progress.push(planes.pack(pass.g, pass.limits, &pass.layout, [images, input_rows], chunk, &packed)?)?;
    }
    Ok(())
}
