//! Windows over a call's operands that several algorithms bind.

use std::ops::Range;

use super::geometry::Geometry;
use crate::error::Result;
use crate::kernel::Storage;
use crate::plan::{DeviceKind, DeviceLimits, Len, MAX_INDEX, Window, binding_too_large};

/// Returns the window over the whole weight.
pub(super) fn weight(g: &Geometry, limits: &DeviceLimits) -> Window {
    limits.operand_window(g.storage, "weight", 0, g.weight_elements() as u64).0
}

/// Returns the window over one element of the weight, which every call has. WebGPU requires something in every binding,
/// so plans bind this in the place of an operand that the call does not have. No kernel reads it.
pub(super) fn unread(g: &Geometry, limits: &DeviceLimits) -> Window {
    limits.operand_window(g.storage, "weight", 0, 1).0
}

/// Returns the window over the elements `within` each of some images, which have `image` elements, and the index of the
/// first of these elements in it.
pub(super) fn within_images(
    limits: &DeviceLimits,
    storage: Storage,
    operand: &'static str,
    image: u64,
    images: &Range<u64>,
    within: &Range<u64>,
) -> (Window, u64) {
    let elements = (images.len() - 1) * image + within.len();
    limits.operand_window(storage, operand, images.start * image + within.start, elements)
}

/// Returns the stride between `count` images, groups or rows. A single one has a stride of 0: no kernel reads it, and
/// the true value may exceed a parameter's range.
pub(super) fn stride(count: u64, stride: u64) -> u64 {
    if count > 1 { stride } else { 0 }
}

/// The number of pixels up to which a plan works on several images at once on a CPU, so that they stay in its cache.
const PIXELS_AT_ONCE_OF_CPU: u64 = 1 << 13;
/// The smallest number of images that are worked on at once on a CPU: fewer save few steps and need as much cache.
const LEAST_IMAGES_OF_CPU: u64 = 4;
/// The number of pixels up to which a plan works on several images at once on other devices. So many fill any of them.
const PIXELS_AT_ONCE: u64 = 1 << 16;
/// The number of parts into which a plan cuts the images of a large batch at most, if the device can hold so many
/// images. Otherwise the number of steps would grow with the batch.
const MOST_PARTS: u64 = 1024;

/// Makes windows over whole images of the operands. The fields are the elements of one image.
pub(super) struct Images<'a> {
    g: &'a Geometry,
    limits: &'a DeviceLimits,
    pub(super) input: u64,
    pub(super) offset: u64,
    pub(super) mask: u64,
    pub(super) output: u64,
}

/// The windows over some images of the operands, and the index of the first image in each.
pub(super) struct ImageWindows {
    pub(super) offset: (Window, u64),
    pub(super) mask: (Window, u64),
    pub(super) bias: Window,
    pub(super) output: (Window, u64),
}

impl<'a> Images<'a> {
    pub(super) fn new(g: &'a Geometry, limits: &'a DeviceLimits) -> Self {
        let mask = if g.has_mask { g.offset_groups * g.taps() * g.out_pixels() } else { 0 };
        Self {
            g,
            limits,
            input: (g.in_channels * g.in_pixels()) as u64,
            offset: g.offset_elements() as u64,
            mask: mask as u64,
            output: (g.out_channels * g.out_pixels()) as u64,
        }
    }

    /// Returns the number of images that one step can bind.
    pub(super) fn per_step(&self) -> Result<u64> {
        let all = [
            ("one image's input", self.input),
            ("one image's offset", self.offset),
            ("one image's output", self.output),
        ];
        all.into_iter().try_fold(u64::MAX, |least, (what, image)| match self.in_window(image) {
            0 => Err(binding_too_large(what, self.g.storage, image, self.limits.max_operand_elements(self.g.storage))),
            images => Ok(least.min(images)),
        })
    }

    /// Returns the number of images of `image` elements that a window holds. Images that start at multiples of the
    /// alignment fill it up.
    fn in_window(&self, image: u64) -> u64 {
        let (limits, storage) = (self.limits, self.g.storage);
        let bytes = image * storage.bytes();
        if bytes.is_multiple_of(limits.binding_alignment.max(1)) {
            (limits.max_binding_bytes / bytes.max(1)).min(MAX_INDEX / image.max(1))
        } else {
            limits.max_operand_elements(storage) / image.max(1)
        }
    }

    /// Returns whether windows hold an image of every operand but the input.
    pub(super) fn hold_an_image(&self) -> bool {
        self.in_window(self.offset) > 0 && self.in_window(self.output) > 0
    }

    /// Returns the number of images that one part of a plan works on at most. Windows hold so many images of every
    /// operand and gradient.
    pub(super) fn at_once(&self) -> u64 {
        let pixels = self.g.in_pixels().max(self.g.out_pixels()) as u64;
        let batch = self.g.batch as u64;
        let cpu = self.limits.kind == DeviceKind::Cpu;
        let (most_pixels, least_images) =
            if cpu { (PIXELS_AT_ONCE_OF_CPU, LEAST_IMAGES_OF_CPU) } else { (PIXELS_AT_ONCE, 1) };
        let most_pixels = most_pixels.max(batch.saturating_mul(pixels) / MOST_PARTS);
        let window = self.limits.max_operand_elements(self.g.storage).min(self.limits.max_window_elements());
        let largest = self.input.max(self.offset).max(self.output);
        let images = (most_pixels / pixels).min(window / largest);
        if images < least_images { 1 } else { images.min(batch).max(1) }
    }

    /// Returns the window over some images of the input, and the index of the first image in it.
    pub(super) fn input(&self, images: &Range<u64>) -> (Window, u64) {
        let images = self.g.in_call(images);
        within_images(self.limits, self.g.storage, "input", self.input, &images, &(0..self.input))
    }

    /// Returns the windows over some images of the other operands.
    pub(super) fn windows(&self, images: &Range<u64>) -> ImageWindows {
        let [offset_groups, taps, groups, rows] =
            [self.g.offset_groups, self.g.taps(), self.g.groups, self.g.out_channels_per_group()]
                .map(|size| 0..size as u64);
        self.windows_within(images, &offset_groups, &taps, &groups, &rows)
    }

    /// Returns the windows over some taps of offset groups and some output channels of weight groups, of some images.
    /// The index of the first image in a window may be negative, modulo 2³².
    pub(super) fn windows_within(
        &self,
        images: &Range<u64>,
        offset_groups: &Range<u64>,
        taps: &Range<u64>,
        groups: &Range<u64>,
        rows: &Range<u64>,
    ) -> ImageWindows {
        let g = self.g;
        let (all_taps, all_rows, pixels) = (g.taps() as u64, g.out_channels_per_group() as u64, g.out_pixels() as u64);
        let window = |operand, image, planes: Range<u64>| {
            let within = planes.start * pixels..planes.end * pixels;
            let (window, base) = within_images(self.limits, g.storage, operand, image, images, &within);
            (window, base.wrapping_sub(within.start) & u64::from(u32::MAX))
        };
        let of_taps = |planes: u64| {
            let plane = |group: u64, tap: u64| planes * (group * all_taps + tap);
            plane(offset_groups.start, taps.start)..plane(offset_groups.end - 1, taps.end)
        };
        let of_rows = groups.start * all_rows + rows.start..(groups.end - 1) * all_rows + rows.end;
        let unread = (unread(g, self.limits), 0);
        let offset = if self.offset > 0 { window("offset", self.offset, of_taps(2)) } else { unread };
        ImageWindows {
            offset,
            mask: if g.has_mask { window("mask", self.mask, of_taps(1)) } else { (offset.0, 0) },
            bias: if g.has_bias {
                self.limits.operand_window(g.storage, "bias", 0, g.out_channels as u64).0
            } else {
                offset.0
            },
            output: window("output", self.output, of_rows),
        }
    }
}
