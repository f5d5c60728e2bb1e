//! The packed gradient of the output: a texture with four channels per texel, for the matrix products and the depthwise
//! stages. With an activation it is the gradient in front of the activation.

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
    let elements = PACK.min(pass.layout.rows) * pass.g.out_pixels() as u64;
    pass.limits.check_elements("one pack of output channels", Storage::F32, elements)
}

/// Returns the texture for the weight groups of a part, or for the channels of a part in a depthwise convolution.
pub(super) fn texture(pass: &Pass<'_>, tiling: &Tiling) -> Scratch {
    let layout = &pass.layout;
    let packs =
        if layout.depthwise { tiling.pack_count() } else { layout.most_groups(tiling.segments) * layout.row_packs };
    Scratch { name: "packed_grad_output", size: Size::long_row(pass.padded_pixels(tiling) * packs) }
}

/// Returns the output channels that a chunk's gradients depend on: all channels of its weight groups. In a depthwise
/// convolution they are the chunk itself.
fn out_channels(pass: &Pass<'_>, chunk: &Chunk) -> Chunk {
    if pass.layout.depthwise {
        return chunk.clone();
    }
    Chunk { segments: pass.layout.groups(chunk), packs: 0..pass.layout.row_packs }
}

/// Plans the packing of a part's output channels, with as many per step as one window holds.
fn steps(pass: &Pass<'_>, tiling: &Tiling, part: &Part, progress: &mut Progress<'_>) -> Result<()> {
    let all = out_channels(pass, &part.chunk);
    let from = [part.images.clone(), part.pixels.clone(), all.segments.clone(), all.packs.clone()];
    if !progress.lacks(texture(pass, tiling).name, from) {
        return Ok(());
    }
    let (rows, most) = (pass.layout.rows, pass.out_channels_per_window());
    let (groups, packs) = if rows <= most { (most / rows, u64::MAX) } else { (1, most / PACK) };
    for channels in all.split(groups, packs) {
        progress.push(step(pass, tiling, part, &all, &channels)?)?;
    }
    Ok(())
}

/// Plans the packing of some of the output channels `all`.
fn step(pass: &Pass<'_>, tiling: &Tiling, part: &Part, all: &Chunk, some: &Chunk) -> Result<Step> {
    let g = pass.g;
    let channels = some.channels(pass.layout.rows);
    let (grad_output, grad_output_base) = pass.of_out_channels("grad_output", &part.images, &channels);
    // Without an activation the binding of the output is never read.
    let (kernel, (output, output_base)) = match g.activation {
        Activation::Identity => (&pack_grad_output::LINEAR, (grad_output, grad_output_base)),
        _ => (&pack_grad_output::ACTIVATED, pass.of_out_channels("output", &part.images, &channels)),
    };
    let padded_pixels = padded(part);
    let groups_before = some.segments.start - all.segments.start;
    let params = pack_grad_output::Params {
        rows: pass.layout.rows,
        packs: some.packs.len(),
        part_packs: some.pack_count(),
        pack_start: groups_before * all.packs.len() + some.packs.start - all.packs.start,
        all_packs: all.pack_count(),
        row_start: PACK * some.packs.start,
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
    let invocations = padded_pixels * some.pack_count().div_ceil(pack_grad_output::PACKS_PER_INVOCATION);
    pass.step(kernel, params, windows, kernel.workgroups(invocations))
}
