//! The gradient of the columns: the transposed weight times the gradient of the output, which is a matrix product, or a
//! sum of few numbers if weight groups have few channels. In a depthwise convolution it is one product of two numbers,
//! which the other stages compute where they need it.

use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use super::{pack_grad_output, pack_weight_depthwise};
use crate::error::Result;
use crate::kernel::backward::{grad_column, grad_column_depthwise, pack_weight_columns};
use crate::ops::convolution::layout::{Chunk, PACK, Part};
use crate::ops::convolution::windows;
use crate::plan::{F32_BYTES, Len, MAX_LOOP_STEPS, Scratch, Size, Step};

pub(super) const STAGE: Stage = Stage { wanted, scratch, fits, limit: LIMIT, steps, ..Stage::NOTHING };

const LIMIT: &str = "a weight group has more output channels than one loop adds";

fn wanted(pass: &Pass<'_>) -> bool {
    pass.wants_grad_column() && is_stored(pass)
}

/// Returns whether a buffer holds the gradient of the columns. Otherwise the stages that need it compute it.
pub(super) fn is_stored(pass: &Pass<'_>) -> bool {
    !(pass.layout.depthwise && pass.g.is_depthwise())
}

/// Returns the size of the gradient of a part's columns. The columns themselves have the same size and layout.
pub(super) fn columns_size(pass: &Pass<'_>, tiling: &Tiling) -> Size {
    Size::Bytes(pass.entries(tiling) * tiling.pack_count() * PACK * F32_BYTES)
}

pub(super) fn buffer(pass: &Pass<'_>, tiling: &Tiling) -> Scratch {
    Scratch { name: "grad_column", size: columns_size(pass, tiling) }
}

/// Returns the texture of the weight, packed for this product.
pub(super) fn packed_weight(pass: &Pass<'_>, tiling: &Tiling) -> Scratch {
    let packs = if tiling.whole_weight { pass.layout.packs() } else { tiling.pack_count() };
    let texels = pass.g.taps() as u64 * pass.layout.row_packs * packs * PACK;
    Scratch { name: "packed_weight_columns", size: Size::long_row(texels) }
}

fn scratch(pass: &Pass<'_>, tiling: &Tiling) -> Vec<Scratch> {
    let packed_weight = (!pass.layout.depthwise).then(|| packed_weight(pass, tiling));
    packed_weight.into_iter().chain([buffer(pass, tiling)]).collect()
}

/// Returns whether the loops of an invocation are short enough: one iteration per pack of output channels, then one per
/// sum to store.
fn fits(pass: &Pass<'_>, _: &Tiling) -> bool {
    let stores = grad_column::PIXELS_PER_INVOCATION * grad_column::PACKS_PER_INVOCATION;
    pass.layout.depthwise || pass.layout.row_packs + stores + 2 < MAX_LOOP_STEPS
}

/// Returns the channels of the packed weight that a chunk uses: all channels, or those of the chunk.
fn weight_chunk(pass: &Pass<'_>, tiling: &Tiling, chunk: &Chunk) -> Chunk {
    if tiling.whole_weight { pass.layout.whole() } else { chunk.clone() }
}

fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    if pass.layout.depthwise {
        return progress.push(depthwise(pass, tiling, part)?);
    }
    let weight = weight_chunk(pass, tiling, &part.chunk);
    if progress.lacks(packed_weight(pass, tiling).name, [weight.segments.clone(), weight.packs.clone()]) {
        progress.push(pack_weight(pass, tiling, &weight)?)?;
    }
    progress.push(step(pass, tiling, part)?)
}

/// Plans the packing of the weight of `chunk`, which comes from [`weight_chunk`].
fn pack_weight(pass: &Pass<'_>, tiling: &Tiling, chunk: &Chunk) -> Result<Step> {
    let (g, layout) = (pass.g, &pass.layout);
    let packs = chunk.pack_count();
    let tap_blocks = (g.taps() as u64).div_ceil(pack_weight_columns::TAPS_PER_INVOCATION);
    let invocations = layout.row_packs * packs * PACK * tap_blocks;
    let params = pack_weight_columns::Params {
        segment_channels: layout.segment_channels,
        segment_packs: chunk.packs.len(),
        segment_start: chunk.segments.start,
        pack_start: chunk.packs.start,
        segments_per_group: layout.segments_per_group,
        packs,
        taps: g.taps() as u64,
        rows: layout.rows,
        row_packs: layout.row_packs,
    };
    let windows = vec![windows::weight(g, pass.limits), packed_weight(pass, tiling).window()];
    let kernel = &pack_weight_columns::KERNEL;
    pass.step(kernel, params, windows, kernel.workgroups(invocations))
}

/// Plans the sums over the output channels of weight groups that have few.
fn depthwise(pass: &Pass<'_>, tiling: &Tiling, part: &Part) -> Result<Step> {
    let (layout, chunk) = (&pass.layout, &part.chunk);
    let (taps, padded_pixels) = (pass.g.taps() as u64, padded(part));
    let params = grad_column_depthwise::Params {
        taps,
        rows: pass.g.out_channels_per_group() as u64,
        packs: chunk.pack_count(),
        all_packs: layout.packs(),
        first_pack: layout.first_pack(chunk),
        padded_pixels,
    };
    let windows = vec![
        pack_grad_output::texture(pass, tiling).window(),
        pack_weight_depthwise::texture(pass).window(),
        buffer(pass, tiling).window(),
    ];
    let kernel = &grad_column_depthwise::KERNEL;
    pass.step(kernel, params, windows, kernel.workgroups(padded_pixels * taps * chunk.pack_count()))
}

/// Plans the product.
fn step(pass: &Pass<'_>, tiling: &Tiling, part: &Part) -> Result<Step> {
    let (g, layout, chunk) = (pass.g, &pass.layout, &part.chunk);
    let kernel = if pass.subgroups { &grad_column::SUBGROUP.kernel } else { &grad_column::PORTABLE.kernel };
    let groups = layout.groups(chunk);
    let group_packs = chunk.segments.len().min(layout.segments_per_group) * chunk.packs.len();
    let pack_blocks = group_packs.div_ceil(grad_column::PACKS_PER_INVOCATION);
    let padded_pixels = padded(part);
    let pixel_blocks = padded_pixels.div_ceil(kernel.workgroup_size * grad_column::PIXELS_PER_INVOCATION);
    let workgroups = pixel_blocks * g.taps() as u64 * pack_blocks * groups.len();
    let weight = weight_chunk(pass, tiling, chunk);
    let params = grad_column::Params {
        taps: g.taps() as u64,
        weight_packs: weight.pack_count(),
        first_pack: layout.first_pack(chunk) - layout.first_pack(&weight),
        packs: chunk.pack_count(),
        segment_packs: chunk.packs.len(),
        segment_start: chunk.segments.start,
        segment_end: chunk.segments.end,
        segments_per_group: layout.segments_per_group,
        group_start: groups.start,
        pack_blocks,
        row_packs: layout.row_packs,
        all_row_packs: groups.len() * layout.row_packs,
        padded_pixels,
        pixel_blocks,
        workgroups,
    };
    let windows = vec![
        pack_grad_output::texture(pass, tiling).window(),
        packed_weight(pass, tiling).window(),
        buffer(pass, tiling).window(),
    ];
    pass.step(kernel, params, windows, workgroups)
}
