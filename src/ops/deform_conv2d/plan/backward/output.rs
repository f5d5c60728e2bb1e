//! What is read of the output's gradient: packed for the other steps, and summed for the bias. As many channels at a time as one binding holds.

use std::ops::Range;

use super::Backward;
use super::sizes::Sizes;
use super::steps::padded;
use crate::Result;
use crate::kernel::Kernel;
use crate::kernel::backward::{grad_bias, pack_grad_output, sum_slices};
use crate::ops::activation::Activation;
use crate::ops::deform_conv2d::plan::packed_input::{Chunk, PACK};
use crate::ops::deform_conv2d::plan::{Len, split};
use crate::plan::{F32_BYTES, Step, WORKSPACE, Window};

impl Backward<'_> {
    /// `rows` are the output channels of some groups.
    pub(super) fn pack_grad_output(
        &self,
        sizes: &Sizes,
        image: u64,
        pixels: &Range<u64>,
        rows: &Chunk,
    ) -> Result<Vec<Step>> {
        let group_rows = self.layout.rows;
        let most = self.channels_per_binding();
        let (groups, packs) = if group_rows <= most { (most / group_rows, u64::MAX) } else { (1, most / PACK) };
        let parts = rows.split(groups, packs);
        parts.map(|part| self.pack_part(sizes, image, pixels, rows, &part)).collect()
    }

    fn pack_part(&self, sizes: &Sizes, image: u64, pixels: &Range<u64>, rows: &Chunk, part: &Chunk) -> Result<Step> {
        let (first, count) = part.channels(self.layout.rows);
        let (grad_output, grad_output_base) = self.grad_output(image, first..first + count);
        let (output, output_base) = self.output(image, first..first + count);
        let invocations = padded(pixels) * part.packs_in_all().div_ceil(pack_grad_output::PACKS_PER_INVOCATION);
        let groups_before = part.segments.start - rows.segments.start;
        let params = pack_grad_output::Params {
            rows: self.layout.rows,
            packs: part.packs.len(),
            part_packs: part.packs_in_all(),
            pack_start: groups_before * rows.packs.len() + part.packs.start - rows.packs.start,
            all_packs: rows.packs_in_all(),
            row_start: PACK * part.packs.start,
            out_pixels: self.g.out_pixels() as u64,
            first_pixel: pixels.start,
            pixels: pixels.len(),
            padded_pixels: padded(pixels),
            grad_output_base,
            output_base,
            kind: self.g.activation.kind(),
        };
        let windows = vec![grad_output, output, sizes.scratch("packed_grad_output").window()];
        let [kernel, _] = self.output_kernels();
        self.step(kernel, params, windows, kernel.workgroups(invocations))
    }

    pub(super) fn grad_bias(&self, image: u64) -> Result<Vec<Step>> {
        let g = self.g;
        let slices = self.bias_slices();
        let mut steps = Vec::new();
        for channels in split(0..g.out_channels as u64, self.channels_per_binding()) {
            let invocations = channels.len() * slices;
            let (grad_output, grad_output_base) = self.grad_output(image, channels.clone());
            let (output, output_base) = self.output(image, channels.clone());
            let params = grad_bias::Params {
                out_pixels: g.out_pixels() as u64,
                slices,
                invocations,
                grad_output_base,
                output_base,
                kind: g.activation.kind(),
            };
            let elements = channels.len();
            let (grad_bias, base) = self.limits.window("grad_bias", channels.start, elements);
            let sum = sum_slices::Params { elements, slices, base };
            let partial = Window { operand: WORKSPACE, start: 0, bytes: invocations * F32_BYTES };
            let windows = vec![grad_output, output, partial];
            let [_, kernel] = self.output_kernels();
            steps.push(self.step(kernel, params, windows, kernel.workgroups(invocations))?);
            let windows = vec![partial, grad_bias];
            steps.push(self.step(&sum_slices::KERNEL, sum, windows, sum_slices::KERNEL.workgroups(elements))?);
        }
        Ok(steps)
    }

    /// Channels of one image's output that one binding holds: at least a pack.
    fn channels_per_binding(&self) -> u64 {
        self.limits.max_operand_elements(self.g.storage) / self.g.out_pixels() as u64
    }

    /// Those that pack the output's gradient and sum it for the bias.
    fn output_kernels(&self) -> [&'static Kernel; 2] {
        match self.g.activation {
            Activation::Identity => [&pack_grad_output::LINEAR, &grad_bias::LINEAR],
            _ => [&pack_grad_output::ACTIVATED, &grad_bias::ACTIVATED],
        }
    }

    /// What came of the image, where an activation's slope comes from it; else something must be bound.
    fn output(&self, image: u64, channels: Range<u64>) -> (Window, u64) {
        if self.g.activation == Activation::Identity {
            return self.grad_output(image, channels);
        }
        self.out_channels_of("output", image, channels)
    }

    fn grad_output(&self, image: u64, channels: Range<u64>) -> (Window, u64) {
        self.out_channels_of("grad_output", image, channels)
    }

    fn out_channels_of(&self, operand: &'static str, image: u64, channels: Range<u64>) -> (Window, u64) {
        let plane = self.g.out_pixels() as u64;
        let first = (image * self.g.out_channels as u64 + channels.start) * plane;
        self.limits.operand_window(self.g.storage, operand, first, channels.len() * plane)
    }
}
