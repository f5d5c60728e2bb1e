//! The gradient of the weight of a convolution without a product: a sum over the pixels of each slice, then over the slices.

use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use super::{pack_grad_output, pack_input, pack_taps};
use crate::error::Result;
use crate::kernel::backward::{grad_weight_depthwise, sum_slices};
use crate::ops::convolution::layout::{self, PACK, Part};
use crate::plan::{F32_BYTES, Len, MAX_LOOP_STEPS, WORKSPACE, Window};

/// The largest number of workgroups that share a sum.
const MAX_WORKGROUPS: u64 = 8;

pub(super) const STAGE: Stage = Stage { wanted, workspace_bytes, fits, limit: LIMIT, steps, ..Stage::NOTHING };

const LIMIT: &str = "a slice of pixels is longer than one loop can be";

fn wanted(pass: &Pass<'_>) -> bool {
    pass.modes.weight.wanted() && pass.layout.depthwise
}

/// Returns the number of workgroups that share a sum.
fn sharing(pass: &Pass<'_>, tiling: &Tiling) -> u64 {
    grad_weight_depthwise::PACKS1.kernel.workgroups(pass.pixels(tiling)).clamp(1, MAX_WORKGROUPS)
}

/// Returns the slices of a sum: one for each invocation of these workgroups.
fn slices(pass: &Pass<'_>, tiling: &Tiling) -> u64 {
    sharing(pass, tiling) * grad_weight_depthwise::PACKS1.kernel.workgroup_size
}

/// Returns whether the loop over the pixels of a slice is short enough.
fn fits(pass: &Pass<'_>, tiling: &Tiling) -> bool {
    pass.pixels(tiling).div_ceil(slices(pass, tiling)) + 1 < MAX_LOOP_STEPS
}

/// Returns the bytes of the partial sums.
fn workspace_bytes(pass: &Pass<'_>, tiling: &Tiling) -> u64 {
    let elements = tiling.pack_count() * PACK * (pass.g.out_channels_per_group() * pass.g.taps()) as u64;
    elements * slices(pass, tiling) * F32_BYTES
}

/// Returns the variant that sums `packs` packs of a segment, with `rows` output channels of each weight group, in the
/// shortest time.
fn variant(packs: u64, rows: u64) -> &'static grad_weight_depthwise::Variant {
    use grad_weight_depthwise::{PACKS1, PACKS1_ROWS2, PACKS1_ROWS4, PACKS2, PACKS2_ROWS2, PACKS4};
    let all = [&PACKS4, &PACKS2, &PACKS1, &PACKS2_ROWS2, &PACKS1_ROWS2, &PACKS1_ROWS4];
    let cost = |variant: &&grad_weight_depthwise::Variant| layout::cost([packs, rows], [variant.packs, variant.rows]);
    all.into_iter().min_by_key(cost).unwrap_or(&PACKS1)
}

fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    let (g, layout, chunk) = (pass.g, &pass.layout, &part.chunk);
    let taps = g.taps() as u64;
    let rows = g.out_channels_per_group() as u64;
    let variant = variant(chunk.packs.len(), rows);
    let pack_blocks = chunk.packs.len().div_ceil(variant.packs);
    let row_blocks = rows.div_ceil(variant.rows);
    let slices = slices(pass, tiling);
    let [plane_columns, plane_rows] = pass.planes(tiling).step(&part.images, &part.input_rows);
    let params = grad_weight_depthwise::Params {
        plane_columns,
        plane_rows,
        taps,
        pixels: part.pixel_count(),
        padded_pixels: padded(part),
        segment_channels: layout.segment_channels,
        segments: chunk.segments.len(),
        pack_start: chunk.packs.start,
        segment_packs: chunk.packs.len(),
        pack_blocks,
        packs: chunk.pack_count(),
        group_channels: g.channels_per_group() as u64,
        group_shift: g.group_shift(),
        segment_groups: layout.segment_channels / g.channels_per_group() as u64,
        rows,
        row_blocks,
        slices,
    };
    let partial = Window { operand: WORKSPACE, start: 0, bytes: workspace_bytes(pass, tiling) };
    let windows = vec![
        pack_input::texture(pass, tiling).window(),
        pack_grad_output::texture(pass, tiling).window(),
        pack_taps::texture(pass, tiling).window(),
        partial,
    ];
    let workgroups = sharing(pass, tiling) * taps * pack_blocks * row_blocks * chunk.segments.len();
    progress.push(pass.step(&variant.kernel, params, windows, workgroups)?)?;

    let channels = chunk.channels(layout.segment_channels);
    let elements = channels.len() * rows * taps;
    let (grad_weight, base) = pass.limits.window("grad_weight", channels.start * rows * taps, elements);
    let params = sum_slices::Params { elements, slices, base };
    let workgroups = sum_slices::KERNEL.workgroups(elements);
    progress.push(pass.step(&sum_slices::KERNEL, params, vec![partial, grad_weight], workgroups)?)
}
