//! The packed input: a texture with four channels per texel. The fused algorithm for subgroups of 8, the depthwise
//! algorithm and the backward pass sample it.

use super::geometry::Geometry;
use super::layout::{Chunk, Layout};
use crate::error::Result;
use crate::kernel::convolution::pack_input;
use crate::plan::{DeviceLimits, Len, Scratch, Size, Step};

/// Returns the columns and rows of the texture. There is a row of zeros above each plane and below the last, and there
/// are a column of zeros on the left and two on the right.
fn extent(g: &Geometry, planes: u64) -> [u64; 2] {
    [g.in_width as u64 + 3, planes * (g.in_height as u64 + 1) + 1]
}

/// Returns the texture for so many planes. Each pack has one.
pub(super) fn texture(g: &Geometry, planes: u64) -> Scratch {
    Scratch { name: "packed_input", size: Size::Texels(extent(g, planes)) }
}

/// Packs a chunk of one image.
pub(super) fn step(
    g: &Geometry,
    limits: &DeviceLimits,
    layout: &Layout,
    image: u64,
    chunk: &Chunk,
    packed: &Scratch,
) -> Result<Step> {
    let in_pixels = g.in_pixels() as u64;
    let channels = chunk.channels(layout.segment_channels);
    let first = (image * g.in_channels as u64 + channels.start) * in_pixels;
    let (input, input_base) = limits.operand_window(g.storage, "input", first, channels.len() * in_pixels);
    let [texture_width, texture_height] = extent(g, chunk.pack_count());
    let params = pack_input::Params {
        in_height: g.in_height as u64,
        in_width: g.in_width as u64,
        segment_channels: layout.segment_channels,
        packs: chunk.packs.len(),
        pack_start: chunk.packs.start,
        texture_width,
        texture_height,
        input_base,
    };
    let invocations = texture_width * texture_height.div_ceil(pack_input::ROWS_PER_INVOCATION);
    let workgroups = pack_input::KERNEL.workgroups(invocations);
    limits.step(&pack_input::KERNEL, g.specialization(), params, vec![input, packed.window()], workgroups)
}
