//! What the algorithms share that bind whole images: as many to a step as the device's windows hold.

use std::ops::Range;

use super::{Len, binding_too_large};
use crate::Result;
use crate::kernel::Storage;
use crate::ops::deform_conv2d::Geometry;
use crate::plan::{DeviceLimits, Window};

/// The windows over some images' operands but the input, and where the first image starts in each.
pub(super) struct ImageWindows {
    pub(super) offset: (Window, u64),
    pub(super) mask: (Window, u64),
    pub(super) bias: Window,
    pub(super) output: (Window, u64),
}

/// Elements of one image of input, offset, mask and output.
pub(super) struct ImageStrides {
    pub(super) input: u64,
    pub(super) offset: u64,
    pub(super) mask: u64,
    pub(super) output: u64,
    storage: Storage,
}

impl ImageStrides {
    pub(super) fn new(g: &Geometry) -> Self {
        let mask = if g.has_mask { (g.offset_groups * g.taps() * g.out_pixels()) as u64 } else { 0 };
        let input = (g.in_channels * g.in_pixels()) as u64;
        Self {
            input,
            offset: g.offset_elements() as u64,
            mask,
            output: (g.out_channels * g.out_pixels()) as u64,
            storage: g.storage,
        }
    }

    /// How many images one step can bind.
    pub(super) fn images_per_step(&self, limits: &DeviceLimits) -> Result<u64> {
        let window = limits.max_operand_elements(self.storage);
        let operands = [
            ("one image's input", self.input),
            ("one image's offset", self.offset),
            ("one image's output", self.output),
        ];
        match operands.into_iter().find(|&(_, elements)| elements > window) {
            Some((what, elements)) => Err(binding_too_large(what, self.storage, elements, window)),
            None => Ok(window / self.input.max(self.offset).max(self.output)),
        }
    }

    /// The window over whole images of the input, and where the first starts.
    pub(super) fn input(&self, limits: &DeviceLimits, images: &Range<u64>) -> (Window, u64) {
        limits.operand_window(self.storage, "input", images.start * self.input, images.len() * self.input)
    }

    pub(super) fn windows(&self, g: &Geometry, limits: &DeviceLimits, images: &Range<u64>) -> ImageWindows {
        let of =
            |operand, stride| limits.operand_window(g.storage, operand, images.start * stride, images.len() * stride);
        // Something must be bound where an operand is absent; the kernel does not read it.
        let offset = if self.offset > 0 { of("offset", self.offset) } else { (unread(g, limits), 0) };
        ImageWindows {
            offset,
            mask: if g.has_mask { of("mask", self.mask) } else { (offset.0, 0) },
            bias: if g.has_bias {
                limits.operand_window(g.storage, "bias", 0, g.out_channels as u64).0
            } else {
                offset.0
            },
            output: of("output", self.output),
        }
    }
}

/// What is bound in the place of an absent operand: an element of one that is always there.
pub(super) fn unread(g: &Geometry, limits: &DeviceLimits) -> Window {
    limits.operand_window(g.storage, "weight", 0, 1).0
}
