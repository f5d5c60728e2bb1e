//! The packed gradient of the output: a texture with four channels per texel, for the matrix products and the stages
//! without a product. With an activation it is the gradient in front of the activation.

use super::pass::{Pass, Tiling, padded};
use super::stage::{Progress, Stage};
use crate::error::Result;
use crate::kernel::Storage;
use crate::kernel::backward::pack_grad_output;
use crate::ops::activation::Activation;
use crate::ops::convolution::layout::{Chunk, PACK, Part};
use crate::plan::{Len, Scratch, Size, Step};

pub(super) const STAGE: Stage =
    Stage { wanted: |_| true, check, scratch: |pass, tiling| vec![texture(pass, tiling)], steps, ..Stage::NOTHING };

fn check(pass: &Pass<'_>) -> Result<()> {
    let elements = pass.layout.pack_rows * pass.g.out_pixels() as u64;
    pass.limits.check_elements("one pack of output channels", Storage::F32, elements)
}

/// Returns how often each lane of a pack comes, with another output channel.
fn rows(pass: &Pass<'_>) -> u64 {
    if pass.layout.depthwise { pass.g.out_channels_per_group() as u64 } else { 1 }
}

/// Returns the texture for the weight groups of a part, or without a product for the input channels of a part.
pub(super) fn texture(pass: &Pass<'_>, tiling: &Tiling) -> Scratch {
    let layout = &pass.layout;
    let packs = if layout.depthwise {
        tiling.pack_count() * rows(pass)
    } else {
        layout.most_groups(tiling.segments) * layout.row_packs
    };
    Scratch { name: "packed_grad_output", size: Size::long_row(pass.padded_pixels(tiling) * packs) }
}

/// Returns the lanes that a chunk's gradients depend on: all output channels of its weight groups. Without a product they
/// are the chunk itself.
fn lanes(pass: &Pass<'_>, chunk: &Chunk) -> Chunk {
    if pass.layout.depthwise {
        return chunk.clone();
    }
    Chunk { segments: pass.layout.groups(chunk), packs: 0..pass.layout.row_packs }
}

/// Plans the packing of a part's output channels, with as many per step as one window holds.
fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    let all = lanes(pass, &part.chunk);
    let from = [part.images.clone(), part.pixels.clone(), all.segments.clone(), all.packs.clone()];
    if !progress.lacks(texture(pass, tiling).name, from) {
        return Ok(());
    }
    let (rows, most) = (pass.layout.rows, pass.out_channels_per_window());
    let (groups, packs) = if rows <= most { (most / rows, u64::MAX) } else { (1, most / pass.layout.pack_rows) };
    for some in all.split(groups, packs) {
        progress.push(step(pass, tiling, part, &all, &some)?)?;
    }
    Ok(())
}

/// Plans the packing of some of the lanes `all`.
fn step(pass: &Pass<'_>, tiling: &Tiling, part: &Part, all: &Chunk, some: &Chunk) -> Result<Step> {
    let (g, layout, rows) = (pass.g, &pass.layout, rows(pass));
    let (lanes, lane_shift) =
        if layout.depthwise { (layout.segment_channels, g.group_shift()) } else { (layout.rows, 0) };
    let of_lanes = some.channels(lanes);
    let sharing = if layout.depthwise { g.channels_per_group() as u64 } else { 1 };
    let channels = of_lanes.start / sharing * rows..of_lanes.end / sharing * rows;
    let (grad_output, grad_output_base) = pass.of_out_channels("grad_output", &part.images, &channels);
    // Without an activation the binding of the output is never read.
    let (output, output_base) = match g.activation {
        Activation::Identity => (grad_output, grad_output_base),
        _ => pass.of_out_channels("output", &part.images, &channels),
    };
    let kernel = match (g.activation, 1 << lane_shift) {
        (Activation::Identity, PACK) => &pack_grad_output::SHARED,
        (Activation::Identity, _) => &pack_grad_output::LINEAR,
        _ => &pack_grad_output::ACTIVATED,
    };
    let padded_pixels = padded(part);
    let groups_before = some.segments.start - all.segments.start;
    let params = pack_grad_output::Params {
        group_channels: layout.rows,
        lanes,
        lane_shift,
        rows,
        packs: some.packs.len(),
        part_packs: some.pack_count() * rows,
        pack_start: (groups_before * all.packs.len() + some.packs.start - all.packs.start) * rows,
        all_packs: all.pack_count() * rows,
        lane_start: PACK * some.packs.start,
        out_pixels: g.out_pixels() as u64,
        first_pixel: part.pixels.start,
        pixels: part.pixel_count(),
        padded_pixels,
        image_stride: pass.output_stride(&part.images),
        grad_output_base,
        output_base,
        kind: g.activation.kind(),
    };
    let windows = vec![grad_output, output, texture(pass, tiling).window()];
    let invocations = padded_pixels * (some.pack_count() * rows).div_ceil(pack_grad_output::PACKS_PER_INVOCATION);
    pass.step(kernel, params, windows, kernel.workgroups(invocations))
}
