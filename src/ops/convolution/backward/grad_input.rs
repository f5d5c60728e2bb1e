//! The gradient of a deformable convolution's input: the taps are sorted by their cells, and every row of cells gathers
//! its taps.

use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use super::{grad_column, pack_grad_output, pack_taps, pack_weight_depthwise};
use crate::error::Result;
use crate::kernel::Sampling;
use crate::kernel::backward::columns_layout::PACKS_PER_BLOCK;
use crate::kernel::backward::grad_input;
use crate::kernel::shared::subgroup::SUBGROUP_SIZE;
use crate::ops::convolution::layout::Part;
use crate::ops::convolution::sort::{Sort, Sorted};
use crate::ops::convolution::windows::unread;
use crate::plan::{Len, MAX_LOOP_STEPS, Scratch, Step};

pub(super) const STAGE: Stage = Stage { wanted, scratch, fits, limit: LIMIT, steps, ..Stage::NOTHING };

const LIMIT: &str =
    "a row of the image or the kernel is longer than one loop can be, or a pack of the gradient larger than a binding";

fn wanted(pass: &Pass<'_>) -> bool {
    pass.modes.input.wanted() && pass.g.sampling == Sampling::Deformed
}

/// Returns the sort of a part's taps. The first cell of an image lies above and to the left of its first pixel. The
/// rows of cells of one image come after those of the image before.
fn sort(pass: &Pass<'_>, tiling: &Tiling) -> Sort {
    let cells = [tiling.images * (pass.g.in_height as u64 + 1), pass.g.in_width as u64 + 1];
    Sort::new(pass.limits, cells, pass.entries(tiling), pass.offset_groups(tiling), pass.subgroups)
}

fn scratch(pass: &Pass<'_>, tiling: &Tiling) -> Vec<Scratch> {
    sort(pass, tiling).scratch()
}

/// Returns whether a window holds the channels, and whether the loops are short enough: the walk over the cells of a row with a loop over the entries of each
/// cell, and the loops of the sort. The padding pixels have no entries in a cell.
fn fits(pass: &Pass<'_>, tiling: &Tiling) -> bool {
    let g = pass.g;
    let entries = g.taps() as u64 * pass.pixels(tiling);
    let cells = g.in_width as u64 + 2;
    let walk = entries.div_ceil(grad_input::ENTRIES_PER_ITERATION) + 3 * cells;
    walk < MAX_LOOP_STEPS && pass.window_holds_channels(tiling) && sort(pass, tiling).loops_are_short()
}

/// Plans the sort of a part's taps, then the gathering. A row of cells touches two rows of pixels, so one step does the
/// even rows of cells and another the odd rows. If the part has some rows of the input only, the part with the first
/// rows does this for all rows, because the gathering does not read the input.
fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    if part.input_rows.start > 0 {
        return Ok(());
    }
    pack_taps::pack(pass, tiling, part, &(0..pass.g.in_height as u64), progress)?;
    let sort = sort(pass, tiling);
    let sorted = sort.sorted();
    let groups = pass.layout.offset_groups(&part.chunk);
    if progress.lacks(sorted.order.operand, [part.images.clone(), part.pixels.clone(), groups.clone()]) {
        let entries = pass.g.taps() as u64 * padded(part);
        let packed_taps = pack_taps::texture(pass, tiling).window();
        let unread = unread(pass.g, pass.limits);
        for step in sort.steps(pass.limits, entries, groups.len(), packed_taps, unread)? {
            progress.push(step)?;
        }
    }
    (0..2).try_for_each(|parity| progress.push(step(pass, tiling, part, &sorted, parity)?))
}

fn step(pass: &Pass<'_>, tiling: &Tiling, part: &Part, sorted: &Sorted, parity: u64) -> Result<Step> {
    let (g, layout, chunk) = (pass.g, &pass.layout, &part.chunk);
    let groups = layout.offset_groups(chunk);
    let (grad_input, grad_input_base) = pass.grad_input(part);
    let rows = (g.in_height as u64 + 1 - parity).div_ceil(2);
    let packs = chunk.segments.len().min(layout.segments_per_offset_group) * chunk.packs.len();
    let variant = match (grad_column::is_stored(pass), pass.subgroups && packs > 1) {
        (true, false) => &grad_input::SINGLE,
        (true, true) => &grad_input::PAIRED,
        (false, false) => &grad_input::DEPTHWISE_SINGLE,
        (false, true) => &grad_input::DEPTHWISE_PAIRED,
    };
    let (kernel, packs_per_lane) = (&variant.kernel, variant.packs_per_lane);
    // On a CPU the lanes of a row stay in one block of columns, so that the part of the block that one row of cells
    // reads is still in the cache for the next row.
    let most_packs = if pass.subgroups { PACKS_PER_BLOCK } else { u64::MAX };
    let lanes = packs.min(most_packs).div_ceil(packs_per_lane).next_power_of_two();
    let lanes_per_row = lanes.min(kernel.workgroup_size);
    let parts = packs.div_ceil(lanes_per_row * packs_per_lane);
    // The units of a group are rounded up so that no vector of 8 lanes works for two offset groups. Their entries may
    // lie in different cells, and a driver that counts the iterations of a loop once per vector would add those of
    // both.
    let units_per_group = (rows * part.images.len() * parts).next_multiple_of(SUBGROUP_SIZE.div_ceil(lanes_per_row));
    let units = units_per_group * groups.len();
    let padded_pixels = padded(part);
    let params = grad_input::Params {
        in_height: g.in_height as u64,
        in_width: g.in_width as u64,
        segment_channels: layout.segment_channels,
        segment_packs: chunk.packs.len(),
        pack_start: chunk.packs.start,
        segment_start: chunk.segments.start,
        segment_end: chunk.segments.end,
        segments_per_offset_group: layout.segments_per_offset_group,
        group_start: groups.start,
        packs: chunk.pack_count(),
        all_packs: layout.packs(),
        first_pack: layout.first_pack(chunk),
        padded_pixels,
        entries: g.taps() as u64 * padded_pixels,
        counters: sorted.counters,
        counters_per_row: sorted.counters_per_row,
        parity,
        rows,
        images: part.images.len(),
        image_stride: pass.grad_input_stride(&part.images),
        lanes_per_row,
        units_per_group,
        grad_input_base,
    };
    let (gradient, last) = if grad_column::is_stored(pass) {
        (grad_column::buffer(pass, tiling), None)
    } else {
        (pack_grad_output::texture(pass, tiling), Some(pack_weight_depthwise::texture(pass)))
    };
    let mut windows =
        vec![pack_taps::texture(pass, tiling).window(), gradient.window(), sorted.order, sorted.ends, grad_input];
    windows.extend(last.map(|scratch| scratch.window()));
    pass.step(kernel, params, windows, kernel.workgroups(units * lanes_per_row))
}
