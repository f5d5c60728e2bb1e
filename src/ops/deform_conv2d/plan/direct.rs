//! The direct algorithm: outputs one by one, without a product, without memory.

use super::images::ImageStrides;
use super::{Len, binding_too_large, push, split, unsuitable};
use crate::Result;
use crate::kernel::forward::direct;
use crate::ops::deform_conv2d::{Algorithm, Geometry};
use crate::plan::{DeviceLimits, MAX_LOOP_STEPS, Plan};

/// Loop steps of one invocation for groups of `channels` channels.
const fn loop_steps(taps: u64, channels: u64) -> u64 {
    1 + taps * (2 + channels * (2 + direct::OUT_CHANNELS))
}

pub(super) fn plan(g: &Geometry, limits: &DeviceLimits) -> Result<Plan> {
    let strides = ImageStrides::new(g);
    let images_per_step = strides.images_per_step(limits)?;
    let weight = g.weight_elements() as u64;
    let window = limits.max_operand_elements(g.storage);
    if weight > window {
        return Err(binding_too_large("the weight", g.storage, weight, window));
    }
    let (weight, _) = limits.operand_window(g.storage, "weight", 0, weight);
    let loop_steps = loop_steps(g.taps() as u64, g.channels_per_group() as u64);
    if loop_steps > MAX_LOOP_STEPS {
        let reason = format!("one output takes {loop_steps} loop steps, over the {MAX_LOOP_STEPS} that are safe");
        return Err(unsuitable(Algorithm::Direct, reason));
    }
    let mut steps = Vec::new();
    for images in split(0..g.batch as u64, images_per_step) {
        let (input, input_base) = strides.input(limits, &images);
        let windows = strides.windows(g, limits, &images);
        let columns = images.len() * g.out_pixels() as u64;
        let column_blocks = direct::KERNEL.workgroups(columns);
        let blocks = column_blocks * (g.out_channels as u64).div_ceil(direct::OUT_CHANNELS);
        let params = direct::Params {
            geometry: g.tap_geometry(),
            channels_per_group: g.channels_per_group() as u64,
            channels_per_offset_group: g.channels_per_offset_group() as u64,
            rows: g.out_channels_per_group() as u64,
            out_channels: g.out_channels as u64,
            columns,
            column_blocks,
            input_image_stride: strides.input,
            offset_image_stride: strides.offset,
            mask_image_stride: strides.mask,
            output_image_stride: strides.output,
            input_base,
            offset_base: windows.offset.1,
            mask_base: windows.mask.1,
            output_base: windows.output.1,
            has_mask: u64::from(g.has_mask),
            has_bias: u64::from(g.has_bias),
        };
        let bound = [input, weight, windows.offset.0, windows.mask.0, windows.bias, windows.output.0];
        push(&mut steps, limits.step(&direct::KERNEL, g.specialization(), params, bound.to_vec(), blocks)?)?;
    }
    Ok(Plan { steps, ..Plan::default() })
}
