//! The gradients of offset and mask, and the columns for the gradient of the weight, from one read of the corners.

use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use super::{grad_column, grad_weight, pack_grad_output, pack_input, pack_taps, pack_weight_depthwise};
use crate::error::Result;
use crate::kernel::Storage;
use crate::kernel::backward::grad_offset;
use crate::ops::convolution::layout::{PACK, Part};
use crate::ops::convolution::options::BorderGradient;
use crate::plan::{F32_BYTES, Len, Scratch, Size, Step};

pub(super) const STAGE: Stage = Stage { wanted, scratch, steps, ..Stage::NOTHING };

fn wanted(pass: &Pass<'_>) -> bool {
    pass.wants_grad_position() || grad_weight::stores_columns(pass)
}

/// Returns the buffers that are bound in the place of a gradient that is not wanted. WebGPU requires a buffer; the
/// kernel does not access it.
fn scratch(pass: &Pass<'_>, _: &Tiling) -> Vec<Scratch> {
    let stand_ins = [
        (pass.modes.offset.wanted(), NO_GRAD_OFFSET),
        (pass.modes.mask.wanted(), NO_GRAD_MASK),
        (pass.wants_grad_column() || !grad_column::is_stored(pass), NO_GRAD_COLUMN),
    ];
    let missing = stand_ins.into_iter().filter(|(there, _)| !there);
    missing.map(|(_, scratch)| scratch).collect()
}

const NO_GRAD_OFFSET: Scratch = Scratch { name: "no_grad_offset", size: Size::Bytes(F32_BYTES) };
const NO_GRAD_MASK: Scratch = Scratch { name: "no_grad_mask", size: Size::Bytes(F32_BYTES) };
const NO_GRAD_COLUMN: Scratch = Scratch { name: "grad_column", size: Size::Bytes(PACK * F32_BYTES) };

fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    progress.push(step(pass, tiling, part)?)
}

fn step(pass: &Pass<'_>, tiling: &Tiling, part: &Part) -> Result<Step> {
    let (g, layout, modes, chunk) = (pass.g, &pass.layout, pass.modes, &part.chunk);
    let groups = layout.offset_groups(chunk);
    let padded_pixels = padded(part);
    let invocations = padded_pixels * g.taps() as u64 * groups.len();
    let (grad_offset, grad_offset_base) = if modes.offset.wanted() {
        pass.of_taps("grad_offset", Storage::F32, 2, &part.images, &groups)
    } else {
        (NO_GRAD_OFFSET.window(), 0)
    };
    let (grad_mask, grad_mask_base) = if modes.mask.wanted() {
        pass.of_taps("grad_mask", Storage::F32, 1, &part.images, &groups)
    } else {
        (NO_GRAD_MASK.window(), 0)
    };
    let [plane_columns, plane_rows] = pass.planes(tiling).step(&part.images, &part.input_rows);
    let params = grad_offset::Params {
        plane_columns,
        plane_rows,
        in_width: g.in_width as u64,
        taps: g.taps() as u64,
        out_pixels: g.out_pixels() as u64,
        first_pixel: part.pixels.start,
        pixels: part.pixel_count(),
        padded_pixels,
        packs: chunk.pack_count(),
        segment_packs: chunk.packs.len(),
        all_packs: layout.packs(),
        first_pack: layout.first_pack(chunk),
        segment_start: chunk.segments.start,
        segment_end: chunk.segments.end,
        segments_per_offset_group: layout.segments_per_offset_group,
        group_start: groups.start,
        invocations,
        grad_offset_image_stride: pass.taps_stride(2, &part.images),
        grad_mask_image_stride: pass.taps_stride(1, &part.images),
        grad_offset_base,
        grad_mask_base,
        follows: (chunk.packs.start > 0 || part.input_rows.start > 0).into(),
        wants_offset: modes.offset.wanted().into(),
        wants_mask: modes.mask.wanted().into(),
        adds_offset: modes.offset.adds(),
        adds_mask: modes.mask.adds(),
        zero_at_border: (pass.options.border_gradient == BorderGradient::Mmcv).into(),
    };
    let (kernel, gradient, last) = if !grad_column::is_stored(pass) {
        let weight = pack_weight_depthwise::texture(pass);
        (&grad_offset::DEPTHWISE, pack_grad_output::texture(pass, tiling), Some(weight))
    } else {
        let gradient = if pass.wants_grad_column() { grad_column::buffer(pass, tiling) } else { NO_GRAD_COLUMN };
        if grad_weight::stores_columns(pass) {
            (&grad_offset::KEEPS_COLUMNS, gradient, Some(grad_weight::columns(pass, tiling)))
        } else {
            (&grad_offset::DROPS_COLUMNS, gradient, None)
        }
    };
    let mut windows = vec![
        pack_input::texture(pass, tiling).window(),
        gradient.window(),
        pack_taps::texture(pass, tiling).window(),
        grad_offset,
        grad_mask,
    ];
    windows.extend(last.map(|scratch| scratch.window()));
    pass.step(kernel, params, windows, kernel.workgroups(invocations))
}
