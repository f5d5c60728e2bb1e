//! The algorithm for depthwise convolutions, and for weight groups of 2 to 4 input channels: it packs the weight once and the input of a few images at a time, then
//! samples four channels at a time.
//!
//! The segments are the offset groups. If a texture or the workspace cannot hold the packed input of a whole image, the
//! plan cuts the image into chunks of segments, or of the packs of one segment.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernel::forward::depthwise;
use crate::ops::convolution::algorithm::Algorithm;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::layout::{self, Chunk, Layout};
use crate::ops::convolution::options::Options;
use crate::ops::convolution::pack_input::Planes;
use crate::ops::convolution::pack_weight_depthwise;
use crate::ops::convolution::windows::{Images, stride};
use crate::plan::{DeviceLimits, Len, MAX_LOOP_STEPS, Plan, Scratch, Step, split};

pub(super) fn plan(g: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    g.check_small_groups()?;
    if g.taps() as u64 + 1 > MAX_LOOP_STEPS {
        let reason = format!("{} taps, over the {} that one loop may count", g.taps(), MAX_LOOP_STEPS - 1);
        return Err(Algorithm::Depthwise.unsuitable(reason));
    }
    Images::new(g, limits).per_step()?;
    limits.check_elements("the weight", g.storage, g.weight_elements() as u64)?;
    let layout = Layout::new(g, true);
    let packed_weight = pack_weight_depthwise::texture(g, &layout);
    let texture = Planes::new(g, limits, 1, 1).texture(1);
    if !limits.hold(&texture) || !limits.hold(&packed_weight) {
        let axis = limits.max_texture_axis;
        let reason = format!("a plane or the weight is over the {axis} texels of a texture's axis");
        return Err(Algorithm::Depthwise.unsuitable(reason));
    }
    let needed = packed_weight.bytes() + texture.bytes();
    if needed > options.workspace_limit {
        return Err(Error::WorkspaceTooSmall { needed, got: options.workspace_limit });
    }
    let planes = Planes::most_packs(g, options, limits, layout.packs(), &packed_weight);
    let (segments_per_chunk, packs_per_chunk) = if planes < layout.segment_packs {
        (1, planes)
    } else {
        ((planes / layout.segment_packs).min(layout.segments), layout.segment_packs)
    };
    let packs = segments_per_chunk * packs_per_chunk;
    let planes = Planes::of_chunks(g, options, limits, [packs, layout.packs()], &packed_weight);
    let packed_input = planes.texture(packs);

    let mut plan = Plan { weight_steps: 1, scratch: vec![packed_weight, packed_input], ..Plan::default() };
    plan.push(pack_weight_depthwise::step(g, limits, &layout, &packed_weight)?)?;
    for images in split(0..g.batch as u64, planes.images()) {
        for chunk in layout.whole().split(segments_per_chunk, packs_per_chunk) {
            plan.push(planes.pack(g, limits, &layout, [&images, &(0..g.in_height as u64)], &chunk, &packed_input)?)?;
            plan.push(convolve(g, limits, &layout, &planes, &images, &chunk, [&packed_input, &packed_weight])?)?;
        }
    }
    Ok(plan)
}

fn convolve(
    g: &Geometry,
    limits: &DeviceLimits,
    layout: &Layout,
    planes: &Planes,
    images: &Range<u64>,
    chunk: &Chunk,
    [packed_input, packed_weight]: [&Scratch; 2],
) -> Result<Step> {
    let all = Images::new(g, limits);
    let operands = all.windows(images);
    let pixels = images.len() * g.out_pixels() as u64;
    let rows = g.out_channels_per_group() as u64;
    let variant = variant(chunk.packs.len(), rows);
    let pixel_blocks = variant.kernel.workgroups(pixels);
    let pack_blocks = chunk.packs.len().div_ceil(variant.packs);
    let row_blocks = rows.div_ceil(variant.rows);
    let [plane_columns, plane_rows] = planes.step(images, &(0..g.in_height as u64));
    let params = depthwise::Params {
        geometry: g.tap_geometry(),
        plane_columns,
        plane_rows,
        segment_channels: layout.segment_channels,
        all_segment_packs: layout.segment_packs,
        all_packs: layout.packs(),
        group_shift: g.group_shift(),
        segment_groups: layout.segment_channels / g.channels_per_group() as u64,
        rows,
        row_blocks,
        segment_start: chunk.segments.start,
        segments: chunk.segments.len(),
        pack_start: chunk.packs.start,
        segment_packs: chunk.packs.len(),
        pack_blocks,
        pixels,
        pixel_blocks,
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
    let workgroups = pixel_blocks * pack_blocks * row_blocks * chunk.segments.len();
    limits.step(&variant.kernel, g.specialization(), params, bound, workgroups)
}

/// Returns the variant that computes `packs` packs of a segment, with `rows` output channels of each weight group, in
/// the shortest time.
fn variant(packs: u64, rows: u64) -> &'static depthwise::Variant {
    use depthwise::{PACKS1, PACKS1_ROWS2, PACKS1_ROWS4, PACKS2, PACKS2_ROWS2, PACKS4};
    let all = [&PACKS4, &PACKS2, &PACKS1, &PACKS2_ROWS2, &PACKS1_ROWS2, &PACKS1_ROWS4];
    let cost = |variant: &&depthwise::Variant| layout::cost([packs, rows], [variant.packs, variant.rows]);
    all.into_iter().min_by_key(cost).unwrap_or(&PACKS1)
}
