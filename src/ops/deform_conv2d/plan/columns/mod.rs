//! The column algorithm: sample into a column buffer, then multiply.
//!
//! The whole column buffer, `in_channels·taps` rows by `batch·out_pixels` columns, can take many times the memory of everything
//! else. So the work is cut into [`Chunk`]s whose columns fit into the workspace, and each chunk is sampled (im2col) and then
//! multiplied (matmul). Pixels are cut first, since that costs nothing; weight groups next; the channels of a weight group last,
//! because then the sums of an output are spread over chunks and the output is read and written again by each.
//!
//! Within a chunk a step is cut further where one of its windows would pass the device's binding limit, or a loop Mesa's trap.

mod steps;

use std::ops::Range;

use super::{Len, binding_too_large, split, unsuitable};
use crate::kernel::Storage;
use crate::kernel::forward::matmul;
use crate::ops::deform_conv2d::{Algorithm, Geometry, Options};
use crate::plan::{DeviceLimits, F32_BYTES, MAX_STEPS, Plan};
use crate::{Error, Result};

/// Fewer pixels than this in a chunk leave a GPU idle: then groups and channels are cut before pixels are cut further.
const GOOD_CHUNK_PIXELS: u64 = 1024;

/// What one pass of im2col and matmul covers.
#[derive(Debug, Clone)]
struct Chunk {
    images: Range<u64>,
    /// Output pixels of each of these images; all of them where there is more than one image.
    pixels: Range<u64>,
    /// Input channels: whole weight groups, or part of one.
    channels: Range<u64>,
}

pub(super) struct Columns<'a> {
    geometry: &'a Geometry,
    limits: &'a DeviceLimits,
    /// Elements a window may hold.
    window: u64,
    images_per_chunk: u64,
    pixels_per_chunk: u64,
    channels_per_chunk: u64,
}

impl<'a> Columns<'a> {
    pub(super) fn new(geometry: &'a Geometry, options: &Options, limits: &'a DeviceLimits) -> Result<Self> {
        let window = limits.max_window_elements();
        check_planes(geometry, window)?;
        let batch = geometry.batch as u64;
        let pixels = geometry.out_pixels() as u64;
        let taps = geometry.taps() as u64;
        let channels = geometry.in_channels as u64;
        let group_channels = geometry.channels_per_group() as u64;
        let tile = matmul::TILE_N;

        // The least that a chunk can be: the columns of one channel and one tile of pixels, `taps` rows.
        // In f16, of a whole weight group: the output cannot carry partial sums from one chunk to the next.
        let uncut = geometry.storage != Storage::F32;
        let least_channels = if uncut { group_channels } else { 1 };
        let smallest = least_channels * taps * pixels.min(tile);
        if uncut && group_channels * taps > steps::max_matmul_depth() {
            let reason = format!("{} terms of one sum, which f16 outputs cannot be cut into", group_channels * taps);
            return Err(unsuitable(Algorithm::Columns, reason));
        }
        if smallest > window {
            return Err(binding_too_large("the columns of one channel and one tile", Storage::F32, smallest, window));
        }
        if options.workspace_limit / F32_BYTES < smallest {
            return Err(Error::WorkspaceTooSmall { needed: smallest * F32_BYTES, got: options.workspace_limit });
        }
        let capacity = (options.workspace_limit / F32_BYTES).min(window);

        // Channels first, as many as leave room for a good number of pixels; then pixels, as many as there is room for, which is
        // one tile at least, since `capacity ≥ smallest`.
        let good_pixels = pixels.min(if uncut { tile } else { GOOD_CHUNK_PIXELS });
        let channels_at_good_pixels = capacity / (taps * good_pixels);
        let channels_per_chunk = if channels_at_good_pixels >= channels {
            channels
        } else if channels_at_good_pixels >= group_channels {
            channels_at_good_pixels / group_channels * group_channels
        } else {
            channels_at_good_pixels.max(least_channels)
        };
        let room = capacity / (channels_per_chunk * taps);
        // A window over a tap's offset spans the plane of y and the chunk's pixels of x.
        let room = room.min(window - pixels);
        let pixels_per_chunk = if room >= pixels { pixels } else { room / tile * tile };

        // Several images share a chunk only where nothing of them has to be cut.
        let image_elements = [
            geometry.in_channels * geometry.in_pixels(),
            geometry.offset_elements(),
            geometry.out_channels * geometry.out_pixels(),
        ];
        let largest = image_elements.into_iter().max().unwrap_or(1) as u64;
        let whole = channels_per_chunk == channels && pixels_per_chunk == pixels;
        let images_per_chunk = if whole { (room / pixels).min(window / largest).clamp(1, batch) } else { 1 };

        let columns = Self { geometry, limits, window, images_per_chunk, pixels_per_chunk, channels_per_chunk };
        // Every chunk has at least two steps: too many chunks are refused before any is made.
        let chunks = [(batch, images_per_chunk), (pixels, pixels_per_chunk), (channels, channels_per_chunk)];
        let steps = chunks.iter().fold(2, |steps: u64, &(all, each)| steps.saturating_mul(all.div_ceil(each)));
        if steps > MAX_STEPS {
            return Err(Error::TooManySteps { steps, limit: MAX_STEPS });
        }
        Ok(columns)
    }

    pub(super) fn plan(&self) -> Result<Plan> {
        let mut steps = Vec::new();
        let mut columns_elements = 0;
        for chunk in self.chunks() {
            columns_elements = columns_elements.max(self.rows(&chunk) * chunk.width());
            self.im2col_steps(&chunk, &mut steps)?;
            self.matmul_steps(&chunk, &mut steps)?;
        }
        Ok(Plan { steps, workspace_bytes: columns_elements * F32_BYTES, ..Plan::default() })
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk> {
        let g = self.geometry;
        split(0..g.batch as u64, self.images_per_chunk).flat_map(move |images| {
            split(0..g.out_pixels() as u64, self.pixels_per_chunk).flat_map(move |pixels| {
                let images = images.clone();
                self.channel_ranges().map(move |channels| Chunk {
                    images: images.clone(),
                    pixels: pixels.clone(),
                    channels,
                })
            })
        })
    }

    /// Whole weight groups at a time, or parts of one that never reach into the next.
    fn channel_ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let group = self.geometry.channels_per_group() as u64;
        let block = self.channels_per_chunk.max(group);
        split(0..self.geometry.in_channels as u64, block)
            .flat_map(move |channels| split(channels, self.channels_per_chunk))
    }

    fn rows(&self, chunk: &Chunk) -> u64 {
        chunk.channels.len() * self.geometry.taps() as u64
    }
}

impl Chunk {
    /// Columns of the column buffer.
    fn width(&self) -> u64 {
        self.images.len() * self.pixels.len()
    }
}

/// What no chunk can cut: one input plane; of one tap's offset the plane of y and a tile's pixels of x.
fn check_planes(geometry: &Geometry, window: u64) -> Result<()> {
    let out_pixels = geometry.out_pixels() as u64;
    let planes = [
        ("one input channel", geometry.in_pixels() as u64),
        ("the y and x offset of one tap", out_pixels + out_pixels.min(matmul::TILE_N)),
    ];
    match planes.into_iter().find(|&(_, elements)| elements > window) {
        None => Ok(()),
        Some((what, elements)) => Err(binding_too_large(what, Storage::F32, elements, window)),
    }
}
