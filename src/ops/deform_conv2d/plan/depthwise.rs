//! The algorithm for depthwise convolutions: pack the weight once and each image's input, then sample four channels at a time.
//!
//! The segments are the offset groups. Where the packed input of a whole image is more than a texture or the workspace holds, the image is
//! worked on in chunks of segments, or of one segment's packs.

use super::images::ImageStrides;
use super::packed_input::{self, Chunk, PACK, long_row};
use super::{Len, binding_too_large, push};
use crate::kernel::convolution::pack_weight_depthwise;
use crate::kernel::forward::depthwise;
use crate::ops::deform_conv2d::{Algorithm, Geometry, Options};
use crate::plan::{DeviceLimits, MAX_LOOP_STEPS, Plan, Scratch, Step};
use crate::{Error, Result};

pub(super) fn plan(g: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    if !g.is_depthwise() {
        return Err(unsuitable(g));
    }
    if g.taps() as u64 + 1 > MAX_LOOP_STEPS {
        let reason = format!("{} taps, over the {} that one loop may count", g.taps(), MAX_LOOP_STEPS - 1);
        return Err(super::unsuitable(Algorithm::Depthwise, reason));
    }
    ImageStrides::new(g).images_per_step(limits)?;
    let window = limits.max_operand_elements(g.storage);
    let weight = g.weight_elements() as u64;
    if weight > window {
        return Err(binding_too_large("the weight", g.storage, weight, window));
    }
    let (segments, segment_channels) = (g.offset_groups as u64, g.channels_per_offset_group() as u64);
    let packs = segment_packs(g);
    let packed_weight = packed_weight(g);
    let texture = |planes: u64| packed_input::texture(g, planes);
    let axis = limits.max_texture_axis;
    if ![&texture(1), &packed_weight].into_iter().all(|texture| limits.hold(texture)) {
        let reason = format!("a plane or the weight is over the {axis} texels of a texture's axis");
        return Err(super::unsuitable(Algorithm::Depthwise, reason));
    }
    let needed = packed_weight.bytes() + texture(1).bytes();
    if needed > options.workspace_limit {
        return Err(Error::WorkspaceTooSmall { needed, got: options.workspace_limit });
    }
    let planes = [
        1 + (options.workspace_limit - needed) / (texture(1).bytes() - texture(0).bytes()),
        (axis - 1) / (g.in_height as u64 + 1),
    ];
    let planes = planes.into_iter().min().unwrap_or(1);
    let (segments_per_chunk, packs_per_chunk) =
        if planes < packs { (1, planes) } else { ((planes / packs).min(segments), packs) };
    let packed_input = texture(segments_per_chunk * packs_per_chunk);

    let mut steps = vec![pack_weight(g, limits, &packed_weight)?];
    for image in 0..g.batch as u64 {
        for chunk in (Chunk { segments: 0..segments, packs: 0..packs }).split(segments_per_chunk, packs_per_chunk) {
            push(&mut steps, packed_input::pack(g, limits, segment_channels, image, &chunk, &packed_input)?)?;
            push(&mut steps, convolve(g, limits, image, &chunk, [&packed_input, &packed_weight])?)?;
        }
    }
    Ok(Plan { steps, weight_steps: 1, scratch: vec![packed_weight, packed_input], ..Plan::default() })
}

fn convolve(g: &Geometry, limits: &DeviceLimits, image: u64, chunk: &Chunk, packed: [&Scratch; 2]) -> Result<Step> {
    let windows = ImageStrides::new(g).windows(g, limits, &(image..image + 1));
    let pixel_blocks = (g.out_pixels() as u64).div_ceil(depthwise::KERNEL.workgroup_size);
    let pack_blocks = chunk.packs.len().div_ceil(depthwise::PACKS);
    let params = depthwise::Params {
        geometry: g.tap_geometry(),
        segment_channels: g.channels_per_offset_group() as u64,
        all_segment_packs: segment_packs(g),
        all_packs: g.offset_groups as u64 * segment_packs(g),
        segment_start: chunk.segments.start,
        segments: chunk.segments.len(),
        pack_start: chunk.packs.start,
        segment_packs: chunk.packs.len(),
        pack_blocks,
        pixel_blocks,
        offset_base: windows.offset.1,
        mask_base: windows.mask.1,
        output_base: windows.output.1,
        has_mask: u64::from(g.has_mask),
        has_bias: u64::from(g.has_bias),
    };
    let operands = [windows.offset.0, windows.mask.0, windows.bias, windows.output.0];
    let bound = [packed.map(Scratch::window).as_slice(), &operands].concat();
    let blocks = pixel_blocks * pack_blocks * chunk.segments.len();
    limits.step(&depthwise::KERNEL, g.specialization(), params, bound, blocks)
}

fn segment_packs(g: &Geometry) -> u64 {
    (g.channels_per_offset_group() as u64).div_ceil(PACK)
}

/// What is no depthwise convolution.
pub(super) fn unsuitable(g: &Geometry) -> Error {
    let channels = format!("{} input and {} output channels", g.in_channels, g.out_channels);
    super::unsuitable(Algorithm::Depthwise, format!("{} groups of {channels} are not depthwise", g.groups))
}

/// The weight, packed.
pub(super) fn packed_weight(g: &Geometry) -> Scratch {
    Scratch { name: "packed_weight", size: long_row(g.taps() as u64 * g.offset_groups as u64 * segment_packs(g)) }
}

pub(super) fn pack_weight(g: &Geometry, limits: &DeviceLimits, packed: &Scratch) -> Result<Step> {
    let packs = g.offset_groups as u64 * segment_packs(g);
    let texels = g.taps() as u64 * packs;
    let params = pack_weight_depthwise::Params {
        segment_channels: g.channels_per_offset_group() as u64,
        segment_packs: segment_packs(g),
        packs,
        taps: g.taps() as u64,
        texels,
    };
    let (weight, _) = limits.operand_window(g.storage, "weight", 0, g.weight_elements() as u64);
    let workgroups = pack_weight_depthwise::KERNEL.workgroups(texels);
    limits.step(&pack_weight_depthwise::KERNEL, g.storage, params, vec![weight, packed.window()], workgroups)
}
