//! The layout of a convolution's channels in segments and packs, and the parts into which a plan cuts the work.
//!
//! A *segment* is a run of input channels that share their weight group and their offset group. A *pack* is four
//! channels of a segment, side by side in a `vec4`; the last pack of a segment is filled up with zeros.
//!
//! A depthwise convolution, and one with weight groups of 2 to 4 input channels, can be computed without a product. The
//! layout then takes its offset groups for both its segments and its weight groups.

use std::ops::Range;

use super::geometry::Geometry;
use crate::plan::{Len, split};

/// The number of channels of a pack.
pub(super) const PACK: u64 = 4;

/// The sizes of segments and packs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Whether the convolution is computed without a product.
    pub(super) depthwise: bool,
    pub(super) segment_channels: u64,
    /// Packs of a whole segment.
    pub(super) segment_packs: u64,
    pub(super) segments: u64,
    pub(super) segments_per_group: u64,
    pub(super) segments_per_offset_group: u64,
    /// Output channels of a weight group.
    pub(super) rows: u64,
    /// Packs of the output channels of a weight group. Without a product, a pack has one output channel for each of four
    /// input channels.
    pub(super) row_packs: u64,
    /// Output channels of which a pack of a weight group has one each, or, without a product, that depend on a pack of
    /// input channels.
    pub(super) pack_rows: u64,
}

impl Layout {
    pub(super) fn new(g: &Geometry, depthwise: bool) -> Self {
        let in_offset_group = g.channels_per_offset_group() as u64;
        let [in_group, rows] = [g.channels_per_group(), g.out_channels_per_group()].map(|channels| channels as u64);
        if depthwise {
            let segment_packs = in_offset_group.div_ceil(PACK);
            return Self {
                depthwise,
                segment_channels: in_offset_group,
                segment_packs,
                segments: g.offset_groups as u64,
                segments_per_group: 1,
                segments_per_offset_group: 1,
                rows: in_offset_group / in_group * rows,
                row_packs: segment_packs * rows,
                pack_rows: PACK.min(in_offset_group).div_ceil(in_group) * rows,
            };
        }
        let segment_channels = g.segment_channels() as u64;
        Self {
            depthwise,
            segment_channels,
            segment_packs: segment_channels.div_ceil(PACK),
            segments: g.in_channels as u64 / segment_channels,
            segments_per_group: in_group / segment_channels,
            segments_per_offset_group: in_offset_group / segment_channels,
            rows,
            row_packs: rows.div_ceil(PACK),
            pack_rows: PACK.min(rows),
        }
    }

    /// Returns the chunk of all channels.
    pub(super) fn whole(&self) -> Chunk {
        Chunk { segments: 0..self.segments, packs: 0..self.segment_packs }
    }

    /// Returns the number of packs of all segments.
    pub(super) fn packs(&self) -> u64 {
        self.segments * self.segment_packs
    }

    /// Returns the number of a chunk's first pack among the packs of all segments.
    pub(super) fn first_pack(&self, chunk: &Chunk) -> u64 {
        chunk.segments.start * self.segment_packs + chunk.packs.start
    }

    /// Returns the weight groups in which the segments of a chunk lie.
    pub(super) fn groups(&self, chunk: &Chunk) -> Range<u64> {
        covering(&chunk.segments, self.segments_per_group)
    }

    /// Returns the offset groups in which the segments of a chunk lie.
    pub(super) fn offset_groups(&self, chunk: &Chunk) -> Range<u64> {
        covering(&chunk.segments, self.segments_per_offset_group)
    }

    /// Returns the largest number of weight groups in which so many consecutive segments can lie.
    pub(super) fn most_groups(&self, segments: u64) -> u64 {
        let groups = (segments + self.segments_per_group - 2) / self.segments_per_group + 1;
        groups.min(self.segments / self.segments_per_group)
    }
}

/// Returns the groups of `size` members in which a range of members lies.
fn covering(members: &Range<u64>, size: u64) -> Range<u64> {
    members.start / size..(members.end - 1) / size + 1
}

/// Returns the cost of work on `[packs, rows]`, the packs of a segment and the output channels of each weight group, in
/// blocks of so many: of each block's position, of its samples, and of its texels of other operands.
pub(super) fn cost([packs, rows]: [u64; 2], [block_packs, block_rows]: [u64; 2]) -> u64 {
    packs.div_ceil(block_packs) * rows.div_ceil(block_rows) * (8 + block_packs * (4 + block_rows))
}

/// Channels that are worked on together: the same packs of some segments. A chunk of several segments has all their
/// packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) segments: Range<u64>,
    pub(super) packs: Range<u64>,
}

impl Chunk {
    /// Cuts the chunk into parts of at most `segments` segments and `packs` packs of each.
    pub(super) fn split(&self, segments: u64, packs: u64) -> impl Iterator<Item = Chunk> + use<> {
        let all_packs = self.packs.clone();
        split(self.segments.clone(), segments).flat_map(move |segments| {
            split(all_packs.clone(), packs).map(move |packs| Chunk { segments: segments.clone(), packs })
        })
    }

    /// Returns the number of packs of all its segments together.
    pub(super) fn pack_count(&self) -> u64 {
        self.segments.len() * self.packs.len()
    }

    /// Returns the range of channels from its first to its last, for segments of `segment_channels`.
    pub(super) fn channels(&self, segment_channels: u64) -> Range<u64> {
        let start = self.segments.start * segment_channels + self.packs.start * PACK;
        start..(self.segments.end - 1) * segment_channels + (self.packs.end * PACK).min(segment_channels)
    }
}

/// One part of the work: some channels of some images, at some output pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) images: Range<u64>,
    /// Output pixels of each of these images. A part of several images has all their pixels.
    pub(super) pixels: Range<u64>,
    pub(super) chunk: Chunk,
    /// Rows of each image of the input in the packed input. A part of several images has all rows.
    pub(super) input_rows: Range<u64>,
}

impl Part {
    /// Returns the number of output pixels of all images.
    pub(super) fn pixel_count(&self) -> u64 {
        self.images.len() * self.pixels.len()
    }
}
