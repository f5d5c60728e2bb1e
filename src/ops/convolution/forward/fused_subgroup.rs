//! The fused algorithm for subgroups of 8: it packs the weight once and the input of a few images at a time, then samples
//! straight into the product.
//!
//! If a texture or the workspace cannot hold the packed input of a whole image, the plan cuts the image into chunks of
//! segments, or of the packs of one segment, or into parts of the input's rows with one pack each. What does not begin a
//! weight group adds to the output.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernel::forward::{fused_subgroup, pack_weight};
use crate::kernel::shared::subgroup::SUBGROUP_SIZE;
use crate::kernel::{Kernel, Sampling, Storage};
use crate::ops::convolution::algorithm::Algorithm;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::layout::{Chunk, Layout, PACK};
use crate::ops::convolution::options::Options;
use crate::ops::convolution::pack_input::{Planes, least_rows};
use crate::ops::convolution::windows::{self, Images, stride};
use crate::plan::{DeviceLimits, Len, MAX_LOOP_STEPS, Plan, Scratch, Size, Step, even, largest, split};

/// The largest number of parts of the input's rows for which `Auto` takes this algorithm.
const MOST_PARTS_OF_AUTO: u64 = 8;

/// Returns the loop steps of one invocation that sums `segments` segments of `packs` packs each and stores its outputs.
const fn loop_steps(segments: u64, taps: u64, packs: u64) -> u64 {
    let stored_blocks = fused_subgroup::PIXELS_PER_INVOCATION * fused_subgroup::OUT64.out_channels / SUBGROUP_SIZE;
    1 + segments * taps * (2 + packs) + 1 + stored_blocks
}

pub(super) fn plan(g: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let layout = &Layout::new(g, false);
    check(g, limits, layout)?;
    let weight_rows = weight_rows(g, layout);
    let packed_weight = Scratch { name: "packed_weight", size: Size::Texels([g.out_channels as u64, weight_rows]) };
    let rows_per_part = input_rows(g, options, limits, &packed_weight)?;
    let mut notes = Vec::new();
    let (segments_per_chunk, packs_per_chunk, planes) = if rows_per_part < g.in_height as u64 {
        notes.push(format!(
            "the workspace_limit of {} bytes, or a texture, holds {rows_per_part} of the {} rows of four channels, so each \
             tap is sampled {} times",
            options.workspace_limit,
            g.in_height,
            (g.in_height as u64).div_ceil(rows_per_part)
        ));
        (1, 1, Planes::of_rows(g, limits, 1, 1, rows_per_part))
    } else {
        let (segments, packs) = chunk_size(g, options, limits, layout, &packed_weight)?;
        let counts = [segments * packs, layout.packs()];
        (segments, packs, Planes::of_chunks(g, options, limits, counts, &packed_weight))
    };
    let packed_input = planes.texture(segments_per_chunk * packs_per_chunk);

    let mut plan = Plan { weight_steps: 1, scratch: vec![packed_weight, packed_input], notes, ..Plan::default() };
    plan.push(pack_weight(g, limits, layout, &packed_weight)?)?;
    let (taps_per_step, rows_per_step) = windows_size(g, limits, layout);
    for images in split(0..g.batch as u64, planes.images()) {
        for chunk in layout.whole().split(segments_per_chunk, packs_per_chunk) {
            for input_rows in split(0..g.in_height as u64, rows_per_part) {
                plan.push(planes.pack(g, limits, layout, [&images, &input_rows], &chunk, &packed_input)?)?;
                for taps in split(0..g.taps() as u64, taps_per_step) {
                    for rows in split(0..layout.rows, rows_per_step) {
                        let part =
                            Part { images: &images, input_rows: &input_rows, chunk: &chunk, taps: &taps, rows: &rows };
                        plan.push(fused(g, limits, layout, &planes, &part, [&packed_input, &packed_weight])?)?;
                    }
                }
            }
        }
    }
    Ok(plan)
}

/// The work of one step.
struct Part<'a> {
    images: &'a Range<u64>,
    /// Input rows of the packed input.
    input_rows: &'a Range<u64>,
    chunk: &'a Chunk,
    taps: &'a Range<u64>,
    /// Output channels of each weight group.
    rows: &'a Range<u64>,
}

/// Returns the taps and the output channels of a weight group that one step can bind.
fn windows_size(g: &Geometry, limits: &DeviceLimits, layout: &Layout) -> (u64, u64) {
    let (taps, rows) = (g.taps() as u64, layout.rows);
    if Images::new(g, limits).hold_an_image() {
        return (taps, rows);
    }
    let planes = limits.max_operand_elements(g.storage) / g.out_pixels() as u64;
    let block = out_channels(rows);
    let rows_per_step = if planes < block { planes } else { planes / block * block };
    (if g.sampling == Sampling::Deformed { planes / 2 } else { taps }, rows_per_step)
}

/// Returns the rows of the packed weight: the packs of all taps of a weight group's segments.
fn weight_rows(g: &Geometry, layout: &Layout) -> u64 {
    layout.segments_per_group * g.taps() as u64 * layout.segment_packs
}

/// Checks that windows and textures hold what no chunk can cut.
fn check(g: &Geometry, limits: &DeviceLimits, layout: &Layout) -> Result<()> {
    if limits.subgroup_size != SUBGROUP_SIZE {
        return Err(Algorithm::FusedSubgroup.unsuitable(format!(
            "the device's subgroups have {} lanes (0: unknown), not {}",
            limits.subgroup_size, SUBGROUP_SIZE
        )));
    }
    if !Images::new(g, limits).hold_an_image() {
        // An f16 output would round partial sums, so taps and output channels in f16 are not cut.
        let cut = g.storage == Storage::F32;
        let plane = g.out_pixels() as u64;
        let offset = if cut { 2 * plane } else { g.offset_elements() as u64 };
        let output = if cut { plane } else { g.out_channels as u64 * plane };
        limits.check_elements("one image's offset", g.storage, offset)?;
        limits.check_elements("one image's output", g.storage, output)?;
    }
    for (what, elements) in [
        ("the weight", g.weight_elements() as u64),
        ("one pack of input channels", PACK.min(layout.segment_channels) * g.in_pixels() as u64),
    ] {
        limits.check_elements(what, g.storage, elements)?;
    }
    let taps = g.taps() as u64;
    if loop_steps(1, taps, 1) > MAX_LOOP_STEPS {
        let most = (MAX_LOOP_STEPS - loop_steps(0, 0, 0)) / 3;
        let reason = format!("{taps} taps, over the {most} that one loop may count");
        return Err(Algorithm::FusedSubgroup.unsuitable(reason));
    }
    // In f16 no rows are cut: see input_rows.
    let rows = if g.storage == Storage::F32 { least_rows(g) } else { g.in_height as u64 };
    let least = Planes::of_rows(g, limits, 1, 1, rows).texture(1);
    let Size::Texels([input_columns, input_rows]) = least.size else { return Ok(()) };
    let axis = limits.max_texture_axis;
    for (what, got) in [
        ("output channels", g.out_channels as u64),
        ("rows of the packed weight", weight_rows(g, layout)),
        ("columns of the packed input", input_columns),
        ("rows of the packed input", input_rows),
    ] {
        if got > axis {
            let reason = format!("{got} {what}, over the {axis} of a texture's axis");
            return Err(Algorithm::FusedSubgroup.unsuitable(reason));
        }
    }
    Ok(())
}

/// Returns the input rows of which one step samples a pack: all, or as many as the memory and a texture's axes allow.
fn input_rows(g: &Geometry, options: &Options, limits: &DeviceLimits, packed_weight: &Scratch) -> Result<u64> {
    let all = g.in_height as u64;
    let texture = |rows| Planes::of_rows(g, limits, 1, 1, rows).texture(1);
    let needed = |rows| packed_weight.bytes() + texture(rows).bytes();
    let fits = |rows| needed(rows) <= options.workspace_limit && limits.hold(&texture(rows));
    // An f16 output would round partial sums, so in f16 no rows are cut.
    if fits(all) || g.storage != Storage::F32 {
        return Ok(all);
    }
    // `Auto` has faster algorithms than one that samples every tap so often.
    let least = if options.algorithm == Algorithm::Auto { all.div_ceil(MOST_PARTS_OF_AUTO) } else { 1 };
    let least = least.max(least_rows(g));
    if !fits(least) {
        return Err(Error::WorkspaceTooSmall { needed: needed(least), got: options.workspace_limit });
    }
    Ok(even(all, largest(all, |rows| rows <= least || fits(rows))))
}

/// Returns the segments of a chunk and the packs of each segment: as many as the memory, a texture's axes, a binding of
/// the input and the loops allow for one image.
fn chunk_size(
    g: &Geometry,
    options: &Options,
    limits: &DeviceLimits,
    layout: &Layout,
    packed_weight: &Scratch,
) -> Result<(u64, u64)> {
    let &Layout { segment_packs: packs, segments_per_group, segments, .. } = layout;
    let taps = g.taps() as u64;
    let bytes = |packs| packed_weight.bytes() + Planes::new(g, limits, packs, 1).texture(packs).bytes();
    // An f16 output would round partial sums, so in f16 a chunk has whole weight groups.
    let uncut = g.storage != Storage::F32;
    let needed = bytes(if uncut { segments_per_group * packs } else { 1 });
    if needed > options.workspace_limit {
        return Err(Error::WorkspaceTooSmall { needed, got: options.workspace_limit });
    }
    let in_binding = limits.max_operand_elements(g.storage) / g.in_pixels() as u64 / PACK;
    let planes = Planes::most_packs(g, options, limits, layout.packs().min(in_binding.max(1)), packed_weight);

    // The number of loop steps limits the packs of one segment, and the segments of one weight group. Storing the
    // outputs takes some of them.
    let loop_steps = MAX_LOOP_STEPS - loop_steps(0, 0, 0);
    let most_packs = (loop_steps / taps).saturating_sub(2);
    let packs_per_chunk = packs.min(planes).min(most_packs);
    let most_segments = loop_steps / (taps * (2 + packs));
    let most_segments = if most_segments >= segments_per_group { segments } else { most_segments };
    // A chunk of one segment has the taps of one offset group and the output channels of one weight group.
    let one_segment = packs_per_chunk < packs || !Images::new(g, limits).hold_an_image();
    let segments_per_chunk = if one_segment { 1 } else { (planes / packs).min(most_segments).min(segments) };
    if !uncut {
        return Ok((segments_per_chunk, packs_per_chunk));
    }
    let groups_per_chunk = segments_per_chunk / segments_per_group;
    if packs_per_chunk < packs || groups_per_chunk == 0 {
        let channels = g.channels_per_group();
        let reason = format!(
            "a weight group of {channels} channels does not fit into one chunk, and an f16 output cannot hold partial sums"
        );
        return Err(Algorithm::FusedSubgroup.unsuitable(reason));
    }
    Ok((groups_per_chunk * segments_per_group, packs_per_chunk))
}

fn pack_weight(g: &Geometry, limits: &DeviceLimits, layout: &Layout, packed: &Scratch) -> Result<Step> {
    let params = pack_weight::Params {
        segment_channels: layout.segment_channels,
        packs: layout.segment_packs,
        taps: g.taps() as u64,
        row_stride: (g.channels_per_group() * g.taps()) as u64,
        texture_width: g.out_channels as u64,
        texels: packed.texels(),
    };
    let windows = vec![windows::weight(g, limits), packed.window()];
    let workgroups = pack_weight::KERNEL.workgroups(packed.texels());
    limits.step(&pack_weight::KERNEL, g.specialization(), params, windows, workgroups)
}

fn fused(
    g: &Geometry,
    limits: &DeviceLimits,
    layout: &Layout,
    planes: &Planes,
    &Part { images, input_rows, chunk, taps, rows }: &Part<'_>,
    [packed_input, packed_weight]: [&Scratch; 2],
) -> Result<Step> {
    let out_channels = out_channels(layout.rows);
    // The first part of a sum needs no kernel for parts, unless the part is one of rows.
    let partial = taps.start > 0
        || input_rows.len() < g.in_height as u64
        || chunk.packs.start > 0
        || !chunk.segments.start.is_multiple_of(layout.segments_per_group);
    let kernel = kernel(out_channels, partial);
    let groups = layout.groups(chunk);
    let pixels_per_block = SUBGROUP_SIZE * fused_subgroup::PIXELS_PER_INVOCATION;
    let pixels = images.len() * g.out_pixels() as u64;
    let pixel_blocks = pixels.div_ceil(pixels_per_block);
    let row_blocks = rows.len().div_ceil(out_channels);
    let blocks = pixel_blocks * row_blocks * groups.len();
    let segments = chunk.segments.len().min(layout.segments_per_group);
    let loop_steps = loop_steps(segments, taps.len(), chunk.packs.len());
    assert!(loop_steps <= MAX_LOOP_STEPS, "a loop that Mesa would cut short");

    let all = Images::new(g, limits);
    let operands = all.windows_within(images, &layout.offset_groups(chunk), taps, &groups, rows);
    let [plane_columns, plane_rows] = planes.step(images, input_rows);
    let params = fused_subgroup::Params {
        geometry: g.tap_geometry(),
        input_row_start: input_rows.start,
        input_rows: input_rows.len(),
        plane_columns,
        plane_rows,
        segments_per_group: layout.segments_per_group,
        segments_per_offset_group: layout.segments_per_offset_group,
        segment_start: chunk.segments.start,
        segment_end: chunk.segments.end,
        packs: layout.segment_packs,
        pack_start: chunk.packs.start,
        pack_end: chunk.packs.end,
        tap_start: taps.start,
        tap_end: taps.end,
        rows: layout.rows,
        row_start: rows.start,
        row_end: rows.end,
        row_blocks,
        pixels,
        pixel_blocks,
        group_start: groups.start,
        blocks,
        offset_image_stride: stride(images.len(), all.offset),
        mask_image_stride: stride(images.len(), all.mask),
        output_image_stride: stride(images.len(), all.output),
        offset_base: operands.offset.1,
        mask_base: operands.mask.1,
        output_base: operands.output.1,
        has_mask: g.has_mask.into(),
        has_bias: g.has_bias.into(),
    };
    let bound = vec![
        packed_input.window(),
        packed_weight.window(),
        operands.offset.0,
        operands.mask.0,
        operands.bias,
        operands.output.0,
    ];
    limits.step(kernel, g.specialization(), params, bound, blocks)
}

/// Returns the number of output channels of a block, so that `rows` output channels of a weight group take the shortest
/// time.
fn out_channels(rows: u64) -> u64 {
    // A block of fewer output channels needs as many samples, and fewer multiply-adds and stores. The costs are
    // measured.
    let blocks = [(64, 10), (32, 6), (8, 4)];
    let cost = |&(out_channels, block): &(u64, u64)| block * rows.div_ceil(out_channels);
    blocks.into_iter().min_by_key(cost).map_or(64, |(out_channels, _)| out_channels)
}

/// Returns the kernel with blocks of so many output channels.
fn kernel(out_channels: u64, partial: bool) -> &'static Kernel {
    use fused_subgroup::{OUT8, OUT8_PARTIAL, OUT32, OUT32_PARTIAL, OUT64, OUT64_PARTIAL};
    let variant = match (out_channels, partial) {
        (8, false) => &OUT8,
        (8, true) => &OUT8_PARTIAL,
        (32, false) => &OUT32,
        (32, true) => &OUT32_PARTIAL,
        (_, false) => &OUT64,
        (_, true) => &OUT64_PARTIAL,
    };
    &variant.kernel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_is_a_turn_with_a_loop_over_its_packs_and_each_block_is_stored() {
        assert_eq!(loop_steps(3, 9, 5), 3 * 9 * (1 + (5 + 1)) + 1 + 32 + 1);
    }
}
