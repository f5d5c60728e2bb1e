//! The packed input: a texture with four channels per texel. The fused algorithm for subgroups of 8, the depthwise
//! algorithm and the backward pass sample it.

use std::ops::Range;

use super::geometry::Geometry;
use super::layout::{Chunk, Layout};
use super::options::Options;
use super::windows::{Images, stride, within_images};
use crate::error::Result;
use crate::kernel::convolution::pack_input;
use crate::plan::{DeviceLimits, Len, Scratch, Size, Step, even, largest};

/// The planes of the texture, one for each pack. A plane holds images below each other, with a row of zeros above each
/// and below the last, a column of zeros on the left and two on the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planes {
    /// Columns and rows of an image, with the zeros on its left and right and the row above.
    image: [u64; 2],
    images: u64,
    /// Whether the planes lie beside each other, and not below each other.
    beside: bool,
}

/// Rows that take fewer bytes are not cut.
const LEAST_BYTES_OF_ROWS: u64 = 64 << 10;

/// Returns the number of an image's rows that are not cut, however small the workspace.
pub(super) fn least_rows(g: &Geometry) -> u64 {
    let row = Size::Texels([g.in_width as u64 + 3, 1]).bytes();
    LEAST_BYTES_OF_ROWS.div_ceil(row).min(g.in_height as u64)
}

impl Planes {
    /// Makes the planes of at most `packs` packs of at most `images` images. They lie below each other if a texture
    /// can hold them so.
    pub(super) fn new(g: &Geometry, limits: &DeviceLimits, packs: u64, images: u64) -> Self {
        Self::of_rows(g, limits, packs, images, g.in_height as u64)
    }

    /// Makes the planes of some rows of each image.
    pub(super) fn of_rows(g: &Geometry, limits: &DeviceLimits, packs: u64, images: u64, rows: u64) -> Self {
        let image = [g.in_width as u64 + 3, rows + 1];
        let below = Self { image, images, beside: false };
        let beside = Self { beside: true, ..below };
        if !limits.hold(&below.texture(packs)) && limits.hold(&beside.texture(packs)) { beside } else { below }
    }

    /// Makes the planes of chunks of `packs` of `all` packs. If a chunk has all, it has as many images as one part of a
    /// plan may have, and as fit into the workspace beside `others`. One image must fit.
    pub(super) fn of_chunks(
        g: &Geometry,
        options: &Options,
        limits: &DeviceLimits,
        [packs, all]: [u64; 2],
        others: &Scratch,
    ) -> Self {
        let of = |images| Self::new(g, limits, packs, images);
        if packs < all {
            return of(1);
        }
        let most = largest(Images::new(g, limits).at_once(), |images| of(images).fit(options, limits, packs, others));
        of(even(g.batch as u64, most))
    }

    /// Returns the number of packs of one image, at most `most`, that fit into the workspace beside `others`. One pack
    /// must fit.
    pub(super) fn most_packs(
        g: &Geometry,
        options: &Options,
        limits: &DeviceLimits,
        most: u64,
        others: &Scratch,
    ) -> u64 {
        largest(most, |packs| Self::new(g, limits, packs, 1).fit(options, limits, packs, others))
    }

    fn fit(&self, options: &Options, limits: &DeviceLimits, packs: u64, others: &Scratch) -> bool {
        let texture = self.texture(packs);
        limits.hold(&texture) && others.bytes() + texture.bytes() <= options.workspace_limit
    }

    /// Returns the largest number of images in a plane.
    pub(super) fn images(&self) -> u64 {
        self.images
    }

    fn extent(&self, packs: u64) -> [u64; 2] {
        let [columns, rows] = self.image;
        let [across, down] = if self.beside { [packs, 1] } else { [1, packs] };
        [across * columns, down * self.images * rows + 1]
    }

    /// Returns the texture for so many packs.
    pub(super) fn texture(&self, packs: u64) -> Scratch {
        Scratch { name: "packed_input", size: Size::Texels(self.extent(packs)) }
    }

    /// Returns the columns and rows from a plane of some rows of some images to the next plane.
    pub(super) fn step(&self, images: &Range<u64>, rows: &Range<u64>) -> [u64; 2] {
        if self.beside { [self.image[0], 0] } else { [0, images.len() * (rows.len() + 1)] }
    }

    /// Plans the packing of a chunk of some rows of some images. `packed` is the texture.
    pub(super) fn pack(
        &self,
        g: &Geometry,
        limits: &DeviceLimits,
        layout: &Layout,
        [images, rows]: [&Range<u64>; 2],
        chunk: &Chunk,
        packed: &Scratch,
    ) -> Result<Step> {
        let channels = chunk.channels(layout.segment_channels);
        let all = Images::new(g, limits);
        let (plane, width) = (g.in_pixels() as u64, g.in_width as u64);
        let within = channels.start * plane + rows.start * width..(channels.end - 1) * plane + rows.end * width;
        let (input, input_base) = within_images(limits, g.storage, "input", all.input, &g.in_call(images), &within);
        let [texture_width, texture_height] =
            Self { images: images.len(), image: [self.image[0], rows.len() + 1], ..*self }.extent(chunk.pack_count());
        let params = pack_input::Params {
            rows: rows.len(),
            in_width: width,
            images: images.len(),
            image_stride: stride(images.len(), all.input),
            plane_size: plane,
            segment_channels: layout.segment_channels,
            packs_down: if self.beside { 1 } else { chunk.pack_count() },
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
}
