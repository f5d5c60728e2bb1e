//! The gradient of a depth-wise convolution's weight.

use std::ops::Range;

use super::Backward;
use super::sizes::{Sizes, workgroups};
use super::steps::padded;
use crate::Result;
use crate::kernel::deform_conv2d::{
    DEPTHWISE_QUADS, GRAD_WEIGHT_DEPTHWISE, GradWeightDepthwiseParams, SUM_SLICES, SumSlicesParams,
};
use crate::ops::deform_conv2d::plan::Len;
use crate::ops::deform_conv2d::plan::packed_input::Chunk;
use crate::plan::{Step, WORKSPACE, Window};

impl Backward<'_> {
    pub(super) fn grad_weight_depthwise(&self, sizes: &Sizes, pixels: &Range<u64>, chunk: &Chunk) -> Result<Vec<Step>> {
        let g = self.g;
        let taps = g.taps() as u64;
        let segment_channels = self.layout.segment_channels;
        let quad_blocks = chunk.quads.len().div_ceil(u64::from(DEPTHWISE_QUADS));
        let params = GradWeightDepthwiseParams {
            in_height: g.in_height as u32,
            taps: taps as u32,
            pixels: pixels.len() as u32,
            padded_pixels: padded(pixels) as u32,
            segment_channels: segment_channels as u32,
            segments: chunk.segments.len() as u32,
            quad_start: chunk.quads.start as u32,
            segment_quads: chunk.quads.len() as u32,
            quad_blocks: quad_blocks as u32,
            quads: chunk.quads_in_all() as u32,
            slices: sizes.slices as u32,
        };
        let partial = Window { operand: WORKSPACE, start: 0, bytes: sizes.partial_bytes };
        let textures = ["packed_input", "packed_grad_output", "packed_taps"].map(|name| sizes.scratch(name).window());
        let windows = [textures.as_slice(), &[partial]].concat();
        let splits = sizes.slices / u64::from(GRAD_WEIGHT_DEPTHWISE.workgroup_size);
        let blocks = splits * taps * quad_blocks * chunk.segments.len();

        let (first, count) = chunk.channels(segment_channels);
        let (grad_weight, base) = self.limits.window("grad_weight", first * taps, count * taps);
        let elements = count * taps;
        let sum = SumSlicesParams { elements: elements as u32, slices: sizes.slices as u32, base };
        Ok(vec![
            self.step(&GRAD_WEIGHT_DEPTHWISE, params.words(), windows, blocks)?,
            self.step(&SUM_SLICES, sum.words(), vec![partial, grad_weight], workgroups(&SUM_SLICES, elements))?,
        ])
    }
}
