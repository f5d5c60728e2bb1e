//! The direct algorithm: it computes outputs one by one, without a product and without scratch memory.

use crate::error::Result;
use crate::kernel::forward::direct;
use crate::ops::convolution::algorithm::Algorithm;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::windows::{self, Images};
use crate::plan::{DeviceLimits, Len, MAX_LOOP_STEPS, Plan, split};

/// Returns the loop steps of one invocation for weight groups of `channels` input channels.
const fn loop_steps(taps: u64, channels: u64) -> u64 {
    1 + taps * (2 + channels * (2 + direct::OUT_CHANNELS))
}

pub(super) fn plan(g: &Geometry, limits: &DeviceLimits) -> Result<Plan> {
    let all = Images::new(g, limits);
    let images_per_step = all.per_step()?;
    limits.check_elements("the weight", g.storage, g.weight_elements() as u64)?;
    let loop_steps = loop_steps(g.taps() as u64, g.channels_per_group() as u64);
    if loop_steps > MAX_LOOP_STEPS {
        let reason = format!("one output takes {loop_steps} loop steps, over the {MAX_LOOP_STEPS} that are safe");
        return Err(Algorithm::Direct.unsuitable(reason));
    }
    let mut plan = Plan::default();
    for images in split(0..g.batch as u64, images_per_step) {
        let (input, input_base) = all.input(&images);
        let others = all.windows(&images);
        let columns = images.len() * g.out_pixels() as u64;
        let column_blocks = direct::KERNEL.workgroups(columns);
        let params = direct::Params {
            geometry: g.tap_geometry(),
            channels_per_group: g.channels_per_group() as u64,
            channels_per_offset_group: g.channels_per_offset_group() as u64,
            rows: g.out_channels_per_group() as u64,
            out_channels: g.out_channels as u64,
            columns,
            column_blocks,
            input_image_stride: all.input,
            offset_image_stride: all.offset,
            mask_image_stride: all.mask,
            output_image_stride: all.output,
            input_base,
            offset_base: others.offset.1,
            mask_base: others.mask.1,
            output_base: others.output.1,
            has_mask: g.has_mask.into(),
            has_bias: g.has_bias.into(),
        };
        let weight = windows::weight(g, limits);
        let bound = vec![input, weight, others.offset.0, others.mask.0, others.bias, others.output.0];
        let workgroups = column_blocks * (g.out_channels as u64).div_ceil(direct::OUT_CHANNELS);
        plan.push(limits.step(&direct::KERNEL, g.specialization(), params, bound, workgroups)?)?;
    }
    Ok(plan)
}
