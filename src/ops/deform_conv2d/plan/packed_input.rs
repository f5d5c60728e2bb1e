//! The packed input: what the fused algorithm for subgroups of 8, the depthwise one and the backward pass sample.
//!
//! A *segment* is the run of input channels that share their weight group and their offset group; a *pack* is four channels of
//! it, one texel. Where a depthwise convolution is computed as such, its segments are its offset groups.

use std::ops::Range;

use super::{Len, split};
use crate::Result;
use crate::kernel::convolution::pack_input;
use crate::kernel::shared::texels::TEXELS_PER_ROW;
use crate::ops::deform_conv2d::Geometry;
use crate::plan::{DeviceLimits, Scratch, Size, Step};

/// Channels of a texel.
pub(super) const PACK: u64 = 4;
const _: () = assert!(TEXELS_PER_ROW <= 8192, "what WebGPU's default limits allow");

/// A texture of one long row.
pub(super) fn long_row(texels: u64) -> Size {
    Size::Texels([texels.min(TEXELS_PER_ROW), texels.div_ceil(TEXELS_PER_ROW)])
}

/// Channels worked on together: the same packs of some segments; all of them where there are several segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) segments: Range<u64>,
    pub(super) packs: Range<u64>,
}

impl Chunk {
    /// Its parts of at most so many segments, and of so many packs of each.
    pub(super) fn split(&self, segments: u64, packs: u64) -> impl Iterator<Item = Chunk> + use<> {
        let all_packs = self.packs.clone();
        split(self.segments.clone(), segments).flat_map(move |segments| {
            split(all_packs.clone(), packs).map(move |packs| Chunk { segments: segments.clone(), packs })
        })
    }

    pub(super) fn packs_in_all(&self) -> u64 {
        self.segments.len() * self.packs.len()
    }

    /// The first of its input channels, and how many there are from it to the last.
    pub(super) fn channels(&self, segment_channels: u64) -> (u64, u64) {
        let channels = segment_channels;
        let first = self.segments.start * channels + self.packs.start * PACK;
        (first, (self.segments.end - 1) * channels + (self.packs.end * PACK).min(channels) - first)
    }
}

/// Columns and rows of the texture: each plane lies below a row of zeros, and one more such row ends it; a column of zeros begins it, two end it.
fn extent(g: &Geometry, planes: u64) -> [u64; 2] {
    [g.in_width as u64 + 3, planes * (g.in_height as u64 + 1) + 1]
}

pub(super) fn texture(g: &Geometry, planes: u64) -> Scratch {
    Scratch { name: "packed_input", size: Size::Texels(extent(g, planes)) }
}

/// Packs a chunk of one image's segments of so many channels.
pub(super) fn pack(
    g: &Geometry,
    limits: &DeviceLimits,
    segment_channels: u64,
    image: u64,
    chunk: &Chunk,
    packed: &Scratch,
) -> Result<Step> {
    let in_pixels = g.in_pixels() as u64;
    let (first, count) = chunk.channels(segment_channels);
    let first = (image * g.in_channels as u64 + first) * in_pixels;
    let (input, input_base) = limits.operand_window(g.storage, "input", first, count * in_pixels);
    let [texture_width, texture_height] = extent(g, chunk.packs_in_all());
    let params = pack_input::Params {
        in_height: g.in_height as u64,
        in_width: g.in_width as u64,
        segment_channels,
        packs: chunk.packs.len(),
        pack_start: chunk.packs.start,
        texture_width,
        texture_height,
        input_base,
    };
    let invocations = texture_width * texture_height.div_ceil(pack_input::ROWS_PER_INVOCATION);
    let workgroups = pack_input::KERNEL.workgroups(invocations);
    limits.step(&pack_input::KERNEL, g.storage, params, vec![input, packed.window()], workgroups)
}
