//! The column algorithm: it samples into a column buffer, then multiplies.
//!
//! The whole column buffer, `in_channels·taps` rows by `batch·out_pixels` columns, can take many times the memory of
//! everything else. So the plan cuts the work into chunks whose columns fit into the workspace. Each chunk is sampled
//! (im2col) and then multiplied (matmul). The plan cuts pixels first, because that costs nothing. It cuts weight groups
//! next, and the channels of a weight group last: then several chunks contribute to one sum, and each reads the output
//! and writes it again.
//!
//! A chunk has several steps where one window would exceed the device's binding limit, or one loop Mesa's limit.

mod chunk;
mod im2col;
mod matmul;

use std::ops::Range;

use self::chunk::Chunk;
use crate::error::{Error, Result};
use crate::kernel::Storage;
use crate::kernel::forward::matmul::TILE_N;
use crate::ops::convolution::algorithm::Algorithm;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::options::Options;
use crate::plan::{DeviceLimits, F32_BYTES, MAX_STEPS, Plan, split};

/// The number of pixels below which a chunk leaves a GPU idle. The plan cuts groups and channels before it cuts pixels
/// further.
const GOOD_CHUNK_PIXELS: u64 = 1024;

/// The size of a chunk.
struct ChunkSize {
    images: u64,
    pixels: u64,
    channels: u64,
}

pub(super) fn plan(g: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<Plan> {
    let size = chunk_size(g, options, limits)?;
    let mut plan = Plan::default();
    for chunk in chunks(g, &size) {
        plan.workspace_bytes = plan.workspace_bytes.max(chunk.elements(g.taps() as u64) * F32_BYTES);
        im2col::steps(g, limits, &chunk, &mut plan)?;
        matmul::steps(g, limits, &chunk, &mut plan)?;
    }
    Ok(plan)
}

fn chunk_size(g: &Geometry, options: &Options, limits: &DeviceLimits) -> Result<ChunkSize> {
    let batch = g.batch as u64;
    let pixels = g.out_pixels() as u64;
    let taps = g.taps() as u64;
    let channels = g.in_channels as u64;
    let group_channels = g.channels_per_group() as u64;
    // No chunk can cut an input plane. A chunk needs at least the whole y plane of one tap's offset, and the x offsets
    // of one tile of pixels.
    limits.check_elements("one input channel", Storage::F32, g.in_pixels() as u64)?;
    limits.check_elements("the y and x offset of one tap", Storage::F32, pixels + pixels.min(TILE_N))?;

    // The smallest chunk has one tile of pixels and one channel, and so `taps` rows. In f16 it has a whole weight
    // group, because an f16 output would round partial sums.
    let uncut = g.storage != Storage::F32;
    let least_channels = if uncut { group_channels } else { 1 };
    let smallest = least_channels * taps * pixels.min(TILE_N);
    if uncut && group_channels * taps > matmul::max_depth() {
        let reason = format!(
            "a sum of {} terms does not fit into one step, and an f16 output cannot hold partial sums",
            group_channels * taps
        );
        return Err(Algorithm::Columns.unsuitable(reason));
    }
    limits.check_elements("the columns of one channel and one tile", Storage::F32, smallest)?;
    if options.workspace_limit / F32_BYTES < smallest {
        return Err(Error::WorkspaceTooSmall { needed: smallest * F32_BYTES, got: options.workspace_limit });
    }
    let window = limits.max_window_elements();
    let capacity = (options.workspace_limit / F32_BYTES).min(window);

    // The channels are chosen first: as many as leave room for a good number of pixels. The pixels then fill the room
    // that is left, which is at least one tile because `capacity ≥ smallest`.
    let good_pixels = pixels.min(if uncut { TILE_N } else { GOOD_CHUNK_PIXELS });
    let channels_at_good_pixels = capacity / (taps * good_pixels);
    let channels_per_chunk = if channels_at_good_pixels >= channels {
        channels
    } else if channels_at_good_pixels >= group_channels {
        channels_at_good_pixels / group_channels * group_channels
    } else {
        channels_at_good_pixels.max(least_channels)
    };
    // A window over a tap's offset covers the plane of y and the chunk's pixels of x.
    let room = (capacity / (channels_per_chunk * taps)).min(window - pixels);
    let pixels_per_chunk = if room >= pixels { pixels } else { room / TILE_N * TILE_N };

    // Several images share a chunk only if none of them is cut.
    let image_elements =
        [g.in_channels * g.in_pixels(), g.offset_elements(), g.out_channels * g.out_pixels()].map(|size| size as u64);
    let largest = image_elements.into_iter().fold(1, u64::max);
    let whole = channels_per_chunk == channels && pixels_per_chunk == pixels;
    let images_per_chunk = if whole { (room / pixels).min(window / largest).clamp(1, batch) } else { 1 };

    // Every chunk has at least two steps, so too many chunks are an error before any is planned.
    let cuts = [(batch, images_per_chunk), (pixels, pixels_per_chunk), (channels, channels_per_chunk)];
    let steps = cuts.iter().fold(2, |steps: u64, &(all, each)| steps.saturating_mul(all.div_ceil(each)));
    if steps > MAX_STEPS {
        return Err(Error::TooManySteps { steps, limit: MAX_STEPS });
    }
    Ok(ChunkSize { images: images_per_chunk, pixels: pixels_per_chunk, channels: channels_per_chunk })
}

fn chunks<'a>(g: &'a Geometry, size: &'a ChunkSize) -> impl Iterator<Item = Chunk> + use<'a> {
    split(0..g.batch as u64, size.images).flat_map(move |images| {
        split(0..g.out_pixels() as u64, size.pixels).flat_map(move |pixels| {
            let images = images.clone();
            channel_ranges(g, size).map(move |channels| Chunk {
                images: images.clone(),
                pixels: pixels.clone(),
                channels,
            })
        })
    })
}

/// Returns the channels of the chunks: several whole weight groups, or a part of one.
fn channel_ranges<'a>(g: &'a Geometry, size: &'a ChunkSize) -> impl Iterator<Item = Range<u64>> + use<'a> {
    let block = size.channels.max(g.channels_per_group() as u64);
    split(0..g.in_channels as u64, block).flat_map(|channels| split(channels, size.channels))
}
