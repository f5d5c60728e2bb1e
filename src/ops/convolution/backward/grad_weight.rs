//! The gradient of the weight: the gradient of the output times the columns, summed over the pixels of each split, then
//! over the splits.

use super::pack_grad_output;
use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use super::{grad_column, pack_input, pack_taps};
use crate::error::Result;
use crate::kernel::backward::pixel_blocks::BLOCK_PIXELS;
use crate::kernel::backward::{grad_weight, grad_weight_reduce};
use crate::kernel::{Sampling, Storage};
use crate::ops::convolution::layout::{PACK, Part};
use crate::plan::{F32_BYTES, Len, Scratch, WORKSPACE, Window};

/// The number of workgroups that the product should have on a device with many processors.
const WORKGROUPS_WANTED: u64 = 512;
/// The number of workgroups that it should have on a CPU.
const WORKGROUPS_WANTED_OF_CPU: u64 = 32;
/// The largest number of pixels that one sum adds one after another. The rounding error grows with it.
const MAX_PIXELS_PER_SUM: u64 = 4096;
/// The largest number of row tiles that each sample their columns again, on a CPU. There, two or three samples take as
/// long as writing and reading a column.
const SAMPLED_ROW_TILES_OF_CPU: u64 = 3;
/// The largest number of such row tiles on other devices.
const SAMPLED_ROW_TILES: u64 = 1;

pub(super) const STAGE: Stage = Stage { wanted, check, scratch, workspace_bytes, steps, ..Stage::NOTHING };

fn check(pass: &Pass<'_>) -> Result<()> {
    pass.limits.check_elements("the weight", Storage::F32, pass.g.weight_elements() as u64)
}

/// The variants of the kernel that differ in the source of the columns.
struct Variants {
    /// Reads the stored columns.
    stored: &'static grad_weight::Variant,
    /// Samples the columns.
    sampled: &'static grad_weight::Variant,
    /// Samples the columns on the regular grid.
    regular: &'static grad_weight::Variant,
}

fn variants(pass: &Pass<'_>) -> Variants {
    let few = pass.layout.row_packs <= grad_weight::SAMPLED_SUBGROUP_32.row_packs;
    let (stored, sampled, regular) = match (pass.subgroups, few) {
        (true, true) => {
            (&grad_weight::STORED_SUBGROUP_64, &grad_weight::SAMPLED_SUBGROUP_32, &grad_weight::REGULAR_SUBGROUP_32)
        }
        (true, false) => {
            (&grad_weight::STORED_SUBGROUP_64, &grad_weight::SAMPLED_SUBGROUP_64, &grad_weight::REGULAR_SUBGROUP_64)
        }
        (false, _) => (&grad_weight::STORED, &grad_weight::SAMPLED, &grad_weight::REGULAR),
    };
    Variants { stored, sampled, regular }
}

fn variant(pass: &Pass<'_>) -> &'static grad_weight::Variant {
    let variants = variants(pass);
    match pass.g.sampling {
        Sampling::Regular => variants.regular,
        Sampling::Deformed if stores_columns(pass) => variants.stored,
        Sampling::Deformed => variants.sampled,
    }
}

/// Returns whether this stage computes the gradient of the weight.
fn wanted(pass: &Pass<'_>) -> bool {
    pass.modes.weight.wanted() && !pass.layout.depthwise
}

/// Returns whether grad_offset stores the columns, because many row tiles read them.
pub(super) fn stores_columns(pass: &Pass<'_>) -> bool {
    let row_tiles = pass.layout.row_packs.div_ceil(variants(pass).stored.row_packs);
    let sampled = if pass.subgroups { SAMPLED_ROW_TILES_OF_CPU } else { SAMPLED_ROW_TILES };
    wanted(pass) && pass.g.sampling == Sampling::Deformed && row_tiles > sampled
}

/// Returns the buffer of the columns that grad_offset stores.
pub(super) fn columns(pass: &Pass<'_>, tiling: &Tiling) -> Scratch {
    Scratch { name: "columns", size: grad_column::columns_size(pass, tiling) }
}

fn scratch(pass: &Pass<'_>, tiling: &Tiling) -> Vec<Scratch> {
    stores_columns(pass).then(|| columns(pass, tiling)).into_iter().collect()
}

/// Returns the tiles of one weight group, `[of output channels, of columns]`, for so many packs of input channels.
fn tiles(pass: &Pass<'_>, group_packs: u64) -> [u64; 2] {
    let variant = variant(pass);
    let columns = group_packs * pass.g.taps() as u64;
    [pass.layout.row_packs.div_ceil(variant.row_packs), columns.div_ceil(variant.lanes)]
}

/// Returns the splits of the sum over pixels, and the tiles of all weight groups.
fn splits(pass: &Pass<'_>, tiling: &Tiling) -> (u64, u64) {
    let layout = &pass.layout;
    let group_packs = tiling.segments.min(layout.segments_per_group) * tiling.packs;
    let [row_tiles, column_tiles] = tiles(pass, group_packs);
    let tiles = layout.most_groups(tiling.segments) * row_tiles * column_tiles;
    let padded_pixels = pass.padded_pixels(tiling);
    let iterations = padded_pixels / variant(pass).pixels_per_iteration;
    let workgroups = if pass.subgroups { WORKGROUPS_WANTED_OF_CPU } else { WORKGROUPS_WANTED };
    let splits = workgroups.div_ceil(tiles).min(iterations.div_ceil(4));
    (splits.max(padded_pixels.div_ceil(MAX_PIXELS_PER_SUM)), tiles)
}

/// Returns the bytes of the partial sums.
fn workspace_bytes(pass: &Pass<'_>, tiling: &Tiling) -> u64 {
    let (splits, tiles) = splits(pass, tiling);
    let variant = variant(pass);
    splits * tiles * PACK * PACK * variant.row_packs * variant.lanes * F32_BYTES
}

fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    let (g, layout, chunk) = (pass.g, &pass.layout, &part.chunk);
    let taps = g.taps() as u64;
    let variant = variant(pass);
    let groups = layout.groups(chunk);
    let group_packs = chunk.segments.len().min(layout.segments_per_group) * chunk.packs.len();
    let [row_tiles, column_tiles] = tiles(pass, group_packs);
    let (splits, _) = splits(pass, tiling);
    let iterations = padded(part) / variant.pixels_per_iteration;
    let workgroups = groups.len() * row_tiles * column_tiles * splits;
    let [plane_columns, plane_rows] = pass.planes(tiling).step(&part.images, &part.input_rows);
    let params = grad_weight::Params {
        taps,
        plane_columns,
        plane_rows,
        packs: chunk.pack_count(),
        segment_packs: chunk.packs.len(),
        segment_start: chunk.segments.start,
        segment_end: chunk.segments.end,
        segments_per_group: layout.segments_per_group,
        segments_per_offset_group: layout.segments_per_offset_group,
        group_start: groups.start,
        groups: groups.len(),
        row_packs: layout.row_packs,
        all_row_packs: groups.len() * layout.row_packs,
        pixel_blocks: padded(part) / BLOCK_PIXELS,
        iterations_per_split: iterations.div_ceil(splits),
        column_tiles,
        row_tiles,
        workgroups,
    };
    let partial = Window { operand: WORKSPACE, start: 0, bytes: workspace_bytes(pass, tiling) };
    let mut windows = vec![pack_grad_output::texture(pass, tiling).window(), partial];
    if stores_columns(pass) {
        windows.push(columns(pass, tiling).window());
    } else {
        windows.push(pack_input::texture(pass, tiling).window());
        windows.push(pack_taps::texture(pass, tiling).window());
    }
    progress.push(pass.step(&variant.kernel, params, windows, workgroups)?)?;

    let params = grad_weight_reduce::Params {
        taps,
        segment_channels: layout.segment_channels,
        segment_packs: chunk.packs.len(),
        pack_start: chunk.packs.start,
        segment_start: chunk.segments.start,
        segment_end: chunk.segments.end,
        segments_per_group: layout.segments_per_group,
        group_start: groups.start,
        groups: groups.len(),
        rows: layout.rows,
        row_packs_per_tile: variant.row_packs,
        column_packs_per_tile: variant.lanes,
        column_tiles,
        row_tiles,
        splits,
    };
    let kernel = &grad_weight_reduce::KERNEL;
    let invocations = layout.rows * chunk.pack_count() * taps.div_ceil(grad_weight_reduce::TAPS_PER_INVOCATION);
    let (grad_weight, _) = pass.limits.window("grad_weight", 0, g.weight_elements() as u64);
    progress.push(pass.step(kernel, params, vec![partial, grad_weight], kernel.workgroups(invocations))?)
}
