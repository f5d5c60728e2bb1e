//! The tiling: how much of the work one part of the plan does at once.
//!
//! The plain algorithm tries all sizes of a part, and takes the largest that fits. A size fits if the device can do so
//! much at once, and if the workspace holds the memory that all stages need for it. The search departs from that in
//! three ways.
//!
//! 1. It changes one size at a time: first the packs that grad_column multiplies at once (and, if segments are short,
//!    several segments), then the pixels, then the images, then the packs, then the segments. All but the first are
//!    found by bisection. Apart from rounding, the needs of a part grow with each size, so bisection finds a size that
//!    fits, though not always the largest. Pixels come before channels because each part of the pixels packs, sorts and reads everything
//!    again. Images come before channels because small images have too few pixels for a part.
//! 2. Parts have equal sizes where the largest size that fits would leave a small rest. An equal size is taken only if
//!    it fits, too: some sizes are rounded up, so a smaller part may need more.
//! 3. Segments grow within one offset group first, then by whole offset groups. So no chunk lies in two offset groups
//!    unless it holds both completely, and no taps of a group are sorted twice.

use std::ops::Range;

use super::pass::{Pass, Tiling};
use super::stages;
use super::{grad_bias, grad_column};
use crate::error::{Error, Result};
use crate::kernel::backward::grad_column::PACKS_PER_INVOCATION;
use crate::kernel::backward::pixel_blocks::BLOCK_PIXELS;
use crate::ops::convolution::layout::{Chunk, Layout};
use crate::ops::convolution::pack_input::{Planes, least_rows};
use crate::ops::convolution::windows::Images;
use crate::plan::{Len, Scratch, even, largest, split};

/// The device memory that the stages need.
pub(super) struct Memory {
    /// The textures and buffers.
    pub(super) scratch: Vec<Scratch>,
    /// The bytes of workspace, which the stages share.
    pub(super) workspace_bytes: u64,
}

impl Memory {
    pub(super) fn new(pass: &Pass<'_>, tiling: &Tiling) -> Self {
        Self {
            scratch: stages::wanted(pass).flat_map(|stage| (stage.scratch)(pass, tiling)).collect(),
            workspace_bytes: stages::wanted(pass)
                .fold(0, |most, stage| most.max((stage.workspace_bytes)(pass, tiling))),
        }
    }

    /// Returns all bytes, with a workspace of at least so many.
    fn bytes(&self, least_workspace: u64) -> u64 {
        self.scratch.iter().map(Scratch::bytes).sum::<u64>() + self.workspace_bytes.max(least_workspace)
    }

    /// Returns whether the device can hold this, regardless of the workspace limit.
    fn possible(&self, pass: &Pass<'_>) -> bool {
        self.scratch.iter().all(|scratch| pass.limits.hold(scratch))
            && self.workspace_bytes <= pass.limits.max_binding_bytes
    }
}

/// Returns whether the whole packed weight takes little of the workspace, and leaves room for the smallest tiling of
/// the other stages.
fn whole_weight(pass: &Pass<'_>) -> bool {
    let whole = grad_column::packed_weight(pass, &Tiling { whole_weight: true, ..Tiling::LEAST });
    let limit = pass.options.workspace_limit;
    let least = Tiling { input_rows: least_rows(pass.g), ..Tiling::LEAST };
    let least = Memory::new(pass, &least).bytes(0) + grad_bias::partial_bytes(pass);
    whole.bytes() <= limit / 4 && whole.bytes() + least <= limit && pass.limits.hold(&whole)
}

/// Says why the device cannot do even the least at once.
fn impossible(pass: &Pass<'_>, least: &Tiling, memory: &Memory) -> String {
    let limits = pass.limits;
    if let Some(scratch) = memory.scratch.iter().find(|scratch| !limits.hold(scratch)) {
        let (axis, binding) = (limits.max_texture_axis, limits.max_binding_bytes);
        return format!("it needs a {scratch}; a texture's axis has at most {axis} texels, a binding {binding} bytes");
    }
    let stage = stages::wanted(pass).find(|stage| !(stage.fits)(pass, least));
    stage.map_or("the workspace exceeds a binding", |stage| stage.limit).to_owned()
}

/// Returns the rows of an image of the input that are packed at a time: as many as leave a quarter of the workspace to
/// the pixels.
fn input_rows(pass: &Pass<'_>, fits: impl Fn(u64) -> bool) -> u64 {
    let (all, least) = (pass.g.in_height as u64, least_rows(pass.g));
    let most_bytes = pass.options.workspace_limit / 4 * 3;
    let bytes = |rows| Planes::of_rows(pass.g, pass.limits, 1, 1, rows).texture(1).bytes();
    even(all, largest(all, |rows| rows <= least || bytes(rows) <= most_bytes && fits(rows)))
}

/// Chooses the largest tiling that fits into `workspace_limit`. Other steps need a workspace of `least_workspace`
/// bytes, which the stages share.
pub(super) fn choose(pass: &Pass<'_>, least_workspace: u64) -> Result<Tiling> {
    let layout = &pass.layout;
    let limit = pass.options.workspace_limit;
    let possible = |tiling: &Tiling, memory: &Memory| {
        memory.possible(pass) && stages::wanted(pass).all(|stage| (stage.fits)(pass, tiling))
    };
    let fits = |tiling: Tiling| {
        let memory = Memory::new(pass, &tiling);
        memory.bytes(least_workspace) <= limit && possible(&tiling, &memory)
    };
    let mut least = Tiling { whole_weight: whole_weight(pass), ..Tiling::LEAST };
    if pass.wants_samples() {
        least.input_rows = input_rows(pass, |input_rows| fits(Tiling { input_rows, ..least }));
    }
    let memory = Memory::new(pass, &least);
    if !possible(&least, &memory) {
        return Err(Error::Unsuitable { algorithm: pass.name().to_owned(), reason: impossible(pass, &least, &memory) });
    }
    let needed = memory.bytes(least_workspace);
    if needed > limit {
        return Err(Error::WorkspaceTooSmall { needed, got: limit });
    }
    let fitting = |even: Tiling, largest: Tiling| if fits(even) { even } else { largest };

    // The packs that grad_column multiplies at once belong to one segment, or to several short ones.
    let with_packs = |packs: u64| Tiling { packs: packs.min(layout.segment_packs), ..least };
    let packs = (1..=PACKS_PER_INVOCATION).rev().find(|&packs| fits(with_packs(packs))).unwrap_or(1);
    let mut tiling = with_packs(packs);
    if tiling.packs == layout.segment_packs {
        let short = (PACKS_PER_INVOCATION / layout.segment_packs).min(layout.segments_per_offset_group).max(1);
        tiling.segments = largest(short, |segments| fits(Tiling { segments, ..tiling }));
    }

    let blocks = (pass.g.out_pixels() as u64).div_ceil(BLOCK_PIXELS);
    let with_blocks = |blocks: u64| Tiling { pixels: blocks * BLOCK_PIXELS, ..tiling };
    let most = largest(blocks, |blocks| fits(with_blocks(blocks)));
    let mut tiling = fitting(with_blocks(even(blocks, most)), with_blocks(most));
    if most == blocks && tiling.input_rows >= pass.g.in_height as u64 {
        let with_images = |images: u64| Tiling { images, ..tiling };
        let most = largest(Images::new(pass.g, pass.limits).at_once(), |images| fits(with_images(images)));
        tiling = fitting(with_images(even(pass.g.batch as u64, most)), with_images(most));
    }

    let rounds = layout.segment_packs.div_ceil(PACKS_PER_INVOCATION);
    let with_rounds =
        |rounds: u64| Tiling { packs: (rounds * PACKS_PER_INVOCATION).min(layout.segment_packs), ..tiling };
    if !fits(with_rounds(1)) {
        return Ok(tiling);
    }
    let most = largest(rounds, |rounds| fits(with_rounds(rounds)));
    let tiling = fitting(with_rounds(even(rounds, most)), with_rounds(most));
    if tiling.packs < layout.segment_packs {
        return Ok(tiling);
    }

    let with_segments = |segments: u64| Tiling { segments, ..tiling };
    let per_group = layout.segments_per_offset_group;
    let within = largest(per_group, |segments| fits(with_segments(segments)));
    if within < per_group {
        return Ok(fitting(with_segments(even(per_group, within)), with_segments(within)));
    }
    let offset_groups = layout.segments / per_group;
    let groups = largest(offset_groups, |groups| fits(with_segments(groups * per_group)));
    Ok(fitting(with_segments(even(offset_groups, groups) * per_group), with_segments(groups * per_group)))
}

// Costs as measured on a CPU.

/// The cost of packing an element of the input.
const INPUT_COST: u64 = 1;
/// The cost of packing and sorting a tap.
const TAP_COST: u64 = 16;
/// The cost of packing an element of the gradient of the output.
const OUTPUT_COST: u64 = 2;

/// Returns the pixels, the chunks and the input rows of all parts of an image, in the order of the work. There may be
/// more than a plan can have.
///
/// Every chunk packs its input again for each part of the pixels, or every part of the pixels packs and sorts its taps
/// again for each chunk. A small image has one part of either kind. For a large one, the order is the one that does less
/// again.
pub(super) fn order(pass: &Pass<'_>, tiling: &Tiling) -> Box<dyn Iterator<Item = (Range<u64>, Chunk, Range<u64>)>> {
    let (g, layout, tiling) = (pass.g, &pass.layout, *tiling);
    let [out_pixels, in_height] = [g.out_pixels(), g.in_height].map(|size| size as u64);
    let chunks = chunks(pass, &tiling);
    let of_chunks = |groups: fn(&Layout, &Chunk) -> Range<u64>, all: u64| {
        chunks.iter().map(|chunk| groups(layout, chunk).len()).sum::<u64>() - all
    };
    let taps = of_chunks(Layout::offset_groups, g.offset_groups as u64) * g.taps() as u64;
    // Without a product, chunks have output channels of their own.
    let groups = of_chunks(Layout::groups, layout.segments / layout.segments_per_group);
    let rows = if layout.depthwise { 0 } else { groups * layout.rows };
    let input = (g.in_channels * g.in_pixels()) as u64 * INPUT_COST;
    let input_again = input.saturating_mul(out_pixels.div_ceil(tiling.pixels) - 1);
    let pixels_again = out_pixels.saturating_mul(taps * TAP_COST + rows * OUTPUT_COST);
    let channels_first = tiling.input_rows < in_height || chunks.len() > 1 && pixels_again < input_again;

    let pixels = move || split(0..out_pixels, tiling.pixels);
    if !channels_first {
        let of_pixels = move |pixels: Range<u64>| {
            chunks.clone().into_iter().map(move |chunk| (pixels.clone(), chunk, 0..in_height))
        };
        return Box::new(pixels().flat_map(of_pixels));
    }
    let of_chunk = move |chunk: Chunk| {
        split(0..in_height, tiling.input_rows).flat_map(move |rows| {
            let chunk = chunk.clone();
            pixels().map(move |pixels| (pixels, chunk.clone(), rows.clone()))
        })
    };
    Box::new(chunks.into_iter().flat_map(of_chunk))
}

/// Returns the chunks of a tiling, in order. No chunk lies in two offset groups unless it holds both completely.
fn chunks(pass: &Pass<'_>, tiling: &Tiling) -> Vec<Chunk> {
    let layout = &pass.layout;
    let per_group = layout.segments_per_offset_group.max(tiling.segments);
    split(0..layout.segments, per_group)
        .flat_map(|segments| Chunk { segments, packs: 0..layout.segment_packs }.split(tiling.segments, tiling.packs))
        .collect()
}
