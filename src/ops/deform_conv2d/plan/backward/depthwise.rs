//! The gradient of a depthwise convolution's weight.

use std::ops::Range;

use super::Backward;
use super::sizes::Sizes;
use super::steps::padded;
use crate::Result;
use crate::kernel::backward::{grad_weight_depthwise, sum_slices};
use crate::kernel::forward::depthwise;
use crate::ops::deform_conv2d::plan::Len;
use crate::ops::deform_conv2d::plan::packed_input::Chunk;
use crate::plan::{Step, WORKSPACE, Window};

impl Backward<'_> {
    pub(super) fn grad_weight_depthwise(&self, sizes: &Sizes, pixels: &Range<u64>, chunk: &Chunk) -> Result<Vec<Step>> {
        let g = self.g;
        let taps = g.taps() as u64;
        let segment_channels = self.layout.segment_channels;
        let pack_blocks = chunk.packs.len().div_ceil(depthwise::PACKS);
        let params = grad_weight_depthwise::Params {
            in_height: g.in_height as u64,
            taps,
            pixels: pixels.len(),
            padded_pixels: padded(pixels),
            segment_channels,
            segments: chunk.segments.len(),
            pack_start: chunk.packs.start,
            segment_packs: chunk.packs.len(),
            pack_blocks,
            packs: chunk.packs_in_all(),
            slices: sizes.slices,
        };
        let partial = Window { operand: WORKSPACE, start: 0, bytes: sizes.partial_bytes };
        let textures = ["packed_input", "packed_grad_output", "packed_taps"].map(|name| sizes.scratch(name).window());
        let windows = [textures.as_slice(), &[partial]].concat();
        let splits = sizes.slices / grad_weight_depthwise::KERNEL.workgroup_size;
        let blocks = splits * taps * pack_blocks * chunk.segments.len();

        let (first, count) = chunk.channels(segment_channels);
        let (grad_weight, base) = self.limits.window("grad_weight", first * taps, count * taps);
        let elements = count * taps;
        let sum = sum_slices::Params { elements, slices: sizes.slices, base };
        Ok(vec![
            self.step(&grad_weight_depthwise::KERNEL, params, windows, blocks)?,
            self.step(&sum_slices::KERNEL, sum, vec![partial, grad_weight], sum_slices::KERNEL.workgroups(elements))?,
        ])
    }
}
