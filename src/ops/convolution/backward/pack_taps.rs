//! The packed taps: a texture with the position of each tap of each pixel, computed once for all other stages.

use std::ops::Range;

use super::grad_column;
use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use crate::error::Result;
use crate::kernel::backward::pack_taps;
use crate::kernel::{Sampling, Storage};
use crate::ops::convolution::layout::Part;
use crate::ops::convolution::windows::unread;
use crate::plan::{Len, Scratch, Size, Step};

/// The largest number of columns in a depthwise convolution. Its kernels divide the number of a column as an f32, which
/// represents every whole number up to this one.
const MAX_COLUMN: u64 = 1 << 24;

pub(super) const STAGE: Stage = Stage { wanted, check, scratch, fits, limit: LIMIT, steps, ..Stage::NOTHING };

const LIMIT: &str = "an offset group has more offsets than one binding holds, or the kernel too many taps";

/// Returns whether a stage reads the packed taps.
fn wanted(pass: &Pass<'_>) -> bool {
    pass.wants_samples() || pass.modes.input.wanted() && pass.g.sampling == Sampling::Deformed
}

/// Returns the elements of the offset of one image and offset group.
fn offset_elements(pass: &Pass<'_>) -> u64 {
    (pass.g.offset_elements() / pass.g.offset_groups) as u64
}

fn check(pass: &Pass<'_>) -> Result<()> {
    pass.limits.check_elements("one offset group's offset", Storage::F32, offset_elements(pass))
}

pub(super) fn texture(pass: &Pass<'_>, tiling: &Tiling) -> Scratch {
    let taps = pass.offset_groups(tiling) * pass.entries(tiling);
    Scratch { name: "packed_taps", size: Size::long_row(taps) }
}

fn scratch(pass: &Pass<'_>, tiling: &Tiling) -> Vec<Scratch> {
    vec![texture(pass, tiling)]
}

/// Returns whether a window holds the offsets of a chunk's offset groups, and an f32 the number of every column where it
/// must.
fn fits(pass: &Pass<'_>, tiling: &Tiling) -> bool {
    pass.offset_groups(tiling) * offset_elements(pass) <= pass.window_elements()
        && (grad_column::is_stored(pass) || pass.entries(tiling) < MAX_COLUMN)
}

fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    pack(pass, tiling, part, &part.input_rows, progress)
}

/// Plans the packing of a part's taps, unless the texture holds them. A tap counts if it touches these rows of the
/// input. The sort needs the taps of all rows, and what samples those of the packed rows.
pub(super) fn pack(
    pass: &Pass<'_>,
    tiling: &Tiling,
    part: &Part,
    input_rows: &Range<u64>,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let groups = pass.layout.offset_groups(&part.chunk);
    let from = [part.images.clone(), part.pixels.clone(), groups, input_rows.clone()];
    if progress.lacks(texture(pass, tiling).name, from) {
        progress.push(step(pass, tiling, part, input_rows)?)?;
    }
    Ok(())
}

/// Plans the packing of the taps of a part's offset groups.
fn step(pass: &Pass<'_>, tiling: &Tiling, part: &Part, input_rows: &Range<u64>) -> Result<Step> {
    let g = pass.g;
    let groups = pass.layout.offset_groups(&part.chunk);
    let padded_pixels = padded(part);
    let tap_blocks = (g.taps() as u64).div_ceil(pack_taps::TAPS_PER_INVOCATION);
    let invocations = padded_pixels * tap_blocks * groups.len();
    let (offset, offset_base) = match g.sampling {
        Sampling::Deformed => pass.of_taps("offset", g.storage, 2, &part.images, &groups),
        Sampling::Regular => (unread(g, pass.limits), 0),
    };
    let (mask, mask_base) =
        if g.has_mask { pass.of_taps("mask", g.storage, 1, &part.images, &groups) } else { (offset, 0) };
    let params = pack_taps::Params {
        geometry: g.tap_geometry(),
        row_start: input_rows.start,
        rows: input_rows.len(),
        first_pixel: part.pixels.start,
        pixels: part.pixel_count(),
        padded_pixels,
        tap_blocks,
        invocations,
        offset_image_stride: pass.taps_stride(2, &part.images),
        mask_image_stride: pass.taps_stride(1, &part.images),
        offset_base,
        mask_base,
        has_mask: g.has_mask.into(),
    };
    let windows = vec![offset, mask, texture(pass, tiling).window()];
    pass.step(&pack_taps::KERNEL, params, windows, pack_taps::KERNEL.workgroups(invocations))
}
