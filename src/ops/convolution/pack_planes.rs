//! The packed input in a buffer, for GPUs: four channels side by side, with zeros around each image.
//! `shared/bordered_planes.wgsl` describes the planes.

use std::ops::Range;

use super::geometry::Geometry;
use super::layout::{Layout, PACK};
use super::windows::Images;
use crate::error::Result;
use crate::kernel::convolution::pack_planes;
use crate::plan::{DeviceLimits, F32_BYTES, Len, Scratch, Size, Step};

/// The planes of all packs of an image, one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct BorderedPlanes<'a> {
    g: &'a Geometry,
    layout: Layout,
    /// Columns of a plane.
    width: u64,
    /// Elements of the planes of an image, each a pack.
    image: u64,
}

impl<'a> BorderedPlanes<'a> {
    pub(super) fn new(g: &'a Geometry, layout: Layout) -> Self {
        let width = g.in_width as u64 + 1;
        Self { g, layout, width, image: layout.packs() * (g.in_height as u64 + 2) * width }
    }

    /// Returns the elements from one image to the next.
    pub(super) fn image_stride(&self) -> u64 {
        self.image
    }

    /// Returns the elements of so many images. The last plane is followed by the row below it, and by the column on the
    /// right of that.
    fn elements(&self, images: u64) -> u64 {
        images * self.image + self.width + 1
    }

    /// Returns the buffer for so many images.
    pub(super) fn buffer(&self, images: u64) -> Scratch {
        Scratch { name: "packed_input", size: Size::Bytes(self.elements(images) * PACK * F32_BYTES) }
    }

    /// Packs some images. The buffer may have room for more.
    pub(super) fn pack(&self, limits: &DeviceLimits, images: &Range<u64>) -> Result<Step> {
        let all = Images::new(self.g, limits);
        let (input, input_base) = all.input(images);
        let elements = self.elements(images.len());
        let params = pack_planes::Params {
            in_height: self.g.in_height as u64,
            in_width: self.g.in_width as u64,
            segment_channels: self.layout.segment_channels,
            segments: self.layout.segments,
            elements,
            input_image_stride: all.input,
            input_base,
        };
        let windows = vec![input, self.buffer(images.len()).window()];
        let workgroups = pack_planes::KERNEL.workgroups(elements);
        limits.step(&pack_planes::KERNEL, self.g.specialization(), params, windows, workgroups)
    }
}
