//! The algorithm for depthwise convolutions, and for weight groups of 2 to 4 input channels: it packs the weight once and
//! the input of a few images at a time, then samples four channels at a time.
//!
//! The segments are the offset groups. On GPUs the packed operands lie in buffers. On CPUs, and if a buffer or the
//! workspace cannot hold the packed input of a whole image, they lie in textures. If that does not do either, the plan
//! cuts the image into chunks of segments, or of the packs of one segment.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernel::forward::depthwise;
use crate::ops::convolution::algorithm::Algorithm;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::layout::{self, Chunk, Layout};
use crate::ops::convolution::options::Options;
use crate::ops::convolution::pack_input::Planes;
use crate::ops::convolution::pack_planes::BorderedPlanes;
use crate::ops::convolution::pack_weight_depthwise;
use crate::ops::convolution::windows::{Images, stride};
use crate::plan::{DeviceKind, DeviceLimits, Len, MAX_LOOP_STEPS, Plan, Step, Window, largest, split};

pub(super) fn plan(g: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    g.check_small_groups()?;
    if g.taps() as u64 + 1 > MAX_LOOP_STEPS {
        let reason = format!("{} taps, over the {} that one loop may count", g.taps(), MAX_LOOP_STEPS - 1);
        return Err(Algorithm::Depthwise.unsuitable(reason));
    }
    Images::new(g, limits).per_step()?;
    limits.check_elements("the weight", g.storage, g.weight_elements() as u64)?;
    let layout = Layout::new(g, true);
    if limits.kind != DeviceKind::Cpu
        && let Some(plan) = in_buffers(g, options, limits, layout)?
    {
        return Ok(plan);
    }
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
            let variant = fastest(&TEXTURES, chunk.packs.len(), g.out_channels_per_group() as u64);
            let plane = planes.step(&images, &(0..g.in_height as u64));
            let part = Part { variant, plane, input_image_stride: 0, images: &images, chunk: &chunk };
            plan.push(convolve(g, limits, &layout, &part, [packed_input.window(), packed_weight.window()])?)?;
        }
    }
    Ok(plan)
}

/// Plans the call with packed operands in buffers, if these and the workspace hold those of an image.
fn in_buffers(g: &Geometry, options: &Options, limits: &DeviceLimits, layout: Layout) -> Result<Option<Plan>> {
    let planes = BorderedPlanes::new(g, layout);
    let packed_weight = pack_weight_depthwise::buffer(g, &layout);
    let fit = |images| {
        let packed_input = planes.buffer(images);
        limits.hold(&packed_input) && packed_weight.bytes() + packed_input.bytes() <= options.workspace_limit
    };
    if !fit(1) || !limits.hold(&packed_weight) {
        return Ok(None);
    }
    let images_per_step = largest(Images::new(g, limits).per_step()?.min(g.batch as u64), fit);
    let scratch = vec![packed_weight, planes.buffer(images_per_step)];
    let mut plan = Plan { weight_steps: 1, scratch, ..Plan::default() };
    plan.push(pack_weight_depthwise::step(g, limits, &layout, &packed_weight)?)?;
    let variant = fastest(&BUFFERS, layout.segment_packs, g.out_channels_per_group() as u64);
    let (chunk, input_image_stride) = (layout.whole(), planes.image_stride());
    for images in split(0..g.batch as u64, images_per_step) {
        plan.push(planes.pack(limits, &images)?)?;
        let packed_input = planes.buffer(images.len());
        let part = Part { variant, plane: [0, 0], input_image_stride, images: &images, chunk: &chunk };
        plan.push(convolve(g, limits, &layout, &part, [packed_input.window(), packed_weight.window()])?)?;
    }
    Ok(Some(plan))
}

/// The work of one step.
struct Part<'a> {
    variant: &'static depthwise::Variant,
    /// Columns and rows from a pack's plane to the next, in a texture.
    plane: [u64; 2],
    /// Elements between images of the packed input, in a buffer.
    input_image_stride: u64,
    images: &'a Range<u64>,
    chunk: &'a Chunk,
}

fn convolve(
    g: &Geometry,
    limits: &DeviceLimits,
    layout: &Layout,
    part: &Part<'_>,
    [packed_input, packed_weight]: [Window; 2],
) -> Result<Step> {
    let &Part { variant, plane: [plane_columns, plane_rows], input_image_stride, images, chunk } = part;
    let all = Images::new(g, limits);
    let operands = all.windows(images);
    let pixels = images.len() * g.out_pixels() as u64;
    let rows = g.out_channels_per_group() as u64;
    let pixel_blocks = variant.kernel.workgroups(pixels);
    let pack_blocks = chunk.packs.len().div_ceil(variant.packs);
    let row_blocks = rows.div_ceil(variant.rows);
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
        input_image_stride,
        offset_image_stride: stride(images.len(), all.offset),
        mask_image_stride: stride(images.len(), all.mask),
        output_image_stride: stride(images.len(), all.output),
        offset_base: operands.offset.1,
        mask_base: operands.mask.1,
        output_base: operands.output.1,
        has_mask: g.has_mask.into(),
        has_bias: g.has_bias.into(),
    };
    let bound = vec![packed_input, packed_weight, operands.offset.0, operands.mask.0, operands.bias, operands.output.0];
    let workgroups = pixel_blocks * pack_blocks * row_blocks * chunk.segments.len();
    limits.step(&variant.kernel, g.specialization(), params, bound, workgroups)
}

/// The variants for packed operands in textures.
static TEXTURES: [&depthwise::Variant; 6] = [
    &depthwise::PACKS4,
    &depthwise::PACKS2,
    &depthwise::PACKS1,
    &depthwise::PACKS2_ROWS2,
    &depthwise::PACKS1_ROWS2,
    &depthwise::PACKS1_ROWS4,
];

/// The variants for packed operands in buffers.
static BUFFERS: [&depthwise::Variant; 6] = [
    &depthwise::PACKS4_BUFFERS,
    &depthwise::PACKS2_BUFFERS,
    &depthwise::PACKS1_BUFFERS,
    &depthwise::PACKS2_ROWS2_BUFFERS,
    &depthwise::PACKS1_ROWS2_BUFFERS,
    &depthwise::PACKS1_ROWS4_BUFFERS,
];

/// Returns the variant that computes `packs` packs of a segment, with `rows` output channels of each weight group, in
/// the shortest time.
fn fastest(variants: &[&'static depthwise::Variant; 6], packs: u64, rows: u64) -> &'static depthwise::Variant {
    let cost = |variant: &&depthwise::Variant| layout::cost([packs, rows], [variant.packs, variant.rows]);
    variants.iter().copied().min_by_key(cost).unwrap_or(variants[0])
}
