//! The gradient of the bias: the gradient of the output, summed over the pixels of each slice, then over the slices. A
//! step takes a few images.

use std::ops::Range;

use super::pass::Pass;
use crate::error::Result;
use crate::kernel::Storage;
use crate::kernel::backward::{grad_bias, sum_slices};
use crate::ops::activation::Activation;
use crate::ops::convolution::windows::Images;
use crate::plan::{F32_BYTES, Len, MAX_LOOP_STEPS, Plan, WORKSPACE, Window, split};

/// The smallest number of slices of a sum. It makes enough invocations.
const LEAST_SLICES: u64 = 64;

/// Returns the number of slices of a channel's sum, so that the loop over a slice is short enough.
fn slices(pass: &Pass<'_>) -> u64 {
    LEAST_SLICES.max((images_per_step(pass) * pass.g.out_pixels() as u64).div_ceil(MAX_LOOP_STEPS - 1))
}

fn images_per_step(pass: &Pass<'_>) -> u64 {
    Images::new(pass.g, pass.limits).at_once()
}

pub(super) fn wanted(pass: &Pass<'_>) -> bool {
    pass.modes.bias.wanted()
}

/// Returns an error if no window holds the partial sums of a step.
pub(super) fn check(pass: &Pass<'_>) -> Result<()> {
    pass.limits.check_elements("the partial sums of grad_bias", Storage::F32, partial_elements(pass))
}

/// Returns the number of partial sums of a step.
fn partial_elements(pass: &Pass<'_>) -> u64 {
    slices(pass) * pass.g.out_channels as u64
}

/// Returns the bytes of workspace for the partial sums of a step.
pub(super) fn partial_bytes(pass: &Pass<'_>) -> u64 {
    partial_elements(pass) * F32_BYTES
}

/// Plans the steps that add up the gradient.
pub(super) fn steps(pass: &Pass<'_>, plan: &mut Plan) -> Result<()> {
    split(0..pass.g.batch as u64, images_per_step(pass)).try_for_each(|images| of_images(pass, &images, plan))
}

/// Plans the steps that add the part of some images, with as many channels per step as one window holds.
fn of_images(pass: &Pass<'_>, images: &Range<u64>, plan: &mut Plan) -> Result<()> {
    let g = pass.g;
    let slices = slices(pass);
    let kernel = match g.activation {
        Activation::Identity => &grad_bias::LINEAR,
        _ => &grad_bias::ACTIVATED,
    };
    for channels in split(0..g.out_channels as u64, pass.out_channels_per_window()) {
        let invocations = channels.len() * slices;
        let (grad_output, grad_output_base) = pass.of_out_channels("grad_output", images, &channels);
        // Without an activation the binding of the output is never read.
        let (output, output_base) = match g.activation {
            Activation::Identity => (grad_output, grad_output_base),
            _ => pass.of_out_channels("output", images, &channels),
        };
        let params = grad_bias::Params {
            out_pixels: g.out_pixels() as u64,
            images: images.len(),
            image_stride: pass.output_stride(images),
            slices,
            invocations,
            grad_output_base,
            output_base,
            kind: g.activation.kind(),
        };
        let partial = Window { operand: WORKSPACE, start: 0, bytes: invocations * F32_BYTES };
        let windows = vec![grad_output, output, partial];
        plan.push(pass.step(kernel, params, windows, kernel.workgroups(invocations))?)?;

        let elements = channels.len();
        let (grad_bias, base) = pass.limits.window("grad_bias", channels.start, elements);
        let params = sum_slices::Params { elements, slices, base };
        let workgroups = sum_slices::KERNEL.workgroups(elements);
        plan.push(pass.step(&sum_slices::KERNEL, params, vec![partial, grad_bias], workgroups)?)?;
    }
    Ok(())
}
