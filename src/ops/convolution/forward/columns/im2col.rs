//! The first half of a chunk: it samples into the column buffer.

use std::ops::Range;

use super::chunk::Chunk;
use crate::error::Result;
use crate::kernel::Sampling;
use crate::kernel::forward::im2col;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::windows::{stride, unread, within_images};
use crate::plan::{DeviceLimits, Len, Plan, Step, WORKSPACE, split};

/// Plans the samples of the chunk's channels. There are several steps if a window cannot hold the input, offset or mask
/// of all of them.
pub(super) fn steps(g: &Geometry, limits: &DeviceLimits, chunk: &Chunk, plan: &mut Plan) -> Result<()> {
    let window = limits.max_window_elements();
    let taps = g.taps() as u64;
    let group = g.channels_per_offset_group() as u64;
    let images = chunk.images.len();
    let channels_per_step = if images > 1 { chunk.channels.len() } else { window / g.in_pixels() as u64 };
    // A window over n pairs covers 2n − 1 whole planes of the offset, and the chunk's pixels of the last plane.
    let planes = 1 + (window - chunk.pixels.len()) / g.out_pixels() as u64;
    let pairs_per_step = if images > 1 { u64::MAX } else { planes / 2 };
    for channels in split(chunk.channels.clone(), channels_per_step) {
        let pairs = channels.start / group * taps..((channels.end - 1) / group + 1) * taps;
        for pairs in split(pairs, pairs_per_step) {
            plan.push(step(g, limits, chunk, channels.clone(), pairs)?)?;
        }
    }
    Ok(())
}

/// `pairs` are (offset group, tap) pairs, counted from the first group's first tap.
fn step(g: &Geometry, limits: &DeviceLimits, chunk: &Chunk, channels: Range<u64>, pairs: Range<u64>) -> Result<Step> {
    let in_pixels = g.in_pixels() as u64;
    let out_pixels = g.out_pixels() as u64;
    let taps = g.taps() as u64;
    let images = chunk.images.len();
    let pixels = chunk.pixels.len();
    // Returns one window over `count` elements of each of these images, from element `first` on.
    let window = |operand, images: &Range<u64>, image_stride: u64, first: u64, count: u64| {
        within_images(limits, g.storage, operand, image_stride, images, &(first..first + count))
    };
    let input_image_stride = g.in_channels as u64 * in_pixels;
    let (input, input_base) = window(
        "input",
        &g.in_call(&chunk.images),
        input_image_stride,
        channels.start * in_pixels,
        channels.len() * in_pixels,
    );
    let mask_image_stride = g.offset_groups as u64 * taps * out_pixels;
    let offset_image_stride = 2 * mask_image_stride;
    let planes = |count: u64| (count - 1) * out_pixels + pixels;
    let first = |planes: u64| planes * out_pixels + chunk.pixels.start;
    let (offset, offset_base) = match g.sampling {
        Sampling::Deformed => {
            window("offset", &chunk.images, offset_image_stride, first(2 * pairs.start), planes(2 * pairs.len()))
        }
        Sampling::Regular => (unread(g, limits), 0),
    };
    let (mask, mask_base) = if g.has_mask {
        window("mask", &chunk.images, mask_image_stride, first(pairs.start), planes(pairs.len()))
    } else {
        // Without a mask the binding is never read.
        (offset, 0)
    };
    let (columns, _) = limits.window(WORKSPACE, 0, chunk.elements(taps));

    let pixel_blocks = im2col::KERNEL.workgroups(chunk.width());
    let group_channels = (g.channels_per_offset_group() as u64).min(channels.len());
    let channel_blocks = group_channels.div_ceil(im2col::CHANNELS_PER_INVOCATION);
    let params = im2col::Params {
        geometry: g.tap_geometry(),
        pixel_start: chunk.pixels.start,
        pixels,
        columns_width: chunk.width(),
        pixel_blocks,
        pair_start: pairs.start,
        pairs: pairs.len(),
        channels_per_offset_group: g.channels_per_offset_group() as u64,
        channel_start: channels.start,
        channel_end: channels.end,
        columns_channel_start: chunk.channels.start,
        input_image_stride: stride(images, input_image_stride),
        offset_image_stride: stride(images, offset_image_stride),
        mask_image_stride: stride(images, mask_image_stride),
        input_base,
        offset_base,
        mask_base,
        has_mask: g.has_mask.into(),
    };
    let workgroups = pixel_blocks * pairs.len() * channel_blocks;
    limits.step(&im2col::KERNEL, g.specialization(), params, vec![input, offset, mask, columns], workgroups)
}
