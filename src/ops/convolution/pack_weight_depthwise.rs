//! The packed weight of a convolution without a product: four channels side by side, in a texture for the forward and
//! the backward pass, or in a buffer for the forward pass on GPUs.

use super::geometry::Geometry;
use super::layout::{Layout, PACK};
use crate::error::Result;
use crate::kernel::convolution::pack_weight_depthwise;
use crate::plan::{DeviceLimits, F32_BYTES, Scratch, Size, Step};

/// Returns the texture for the whole weight.
pub(super) fn texture(g: &Geometry, layout: &Layout) -> Scratch {
    Scratch { name: "packed_weight", size: Size::long_row(texels(g, layout)) }
}

/// Returns the buffer for the whole weight.
pub(super) fn buffer(g: &Geometry, layout: &Layout) -> Scratch {
    Scratch { name: "packed_weight", size: Size::Bytes(texels(g, layout) * PACK * F32_BYTES) }
}

fn texels(g: &Geometry, layout: &Layout) -> u64 {
    g.taps() as u64 * layout.packs() * g.out_channels_per_group() as u64
}

/// Packs the whole weight into the texture or the buffer.
pub(super) fn step(g: &Geometry, limits: &DeviceLimits, layout: &Layout, packed: &Scratch) -> Result<Step> {
    let texels = texels(g, layout);
    let params = pack_weight_depthwise::Params {
        segment_channels: layout.segment_channels,
        segment_packs: layout.segment_packs,
        packs: layout.packs(),
        group_channels: g.channels_per_group() as u64,
        rows: g.out_channels_per_group() as u64,
        taps: g.taps() as u64,
        texels,
    };
    let (weight, _) = limits.operand_window(g.storage, "weight", 0, g.weight_elements() as u64);
    let windows = vec![weight, packed.window()];
    let kernel = match packed.size {
        Size::Texels(_) => &pack_weight_depthwise::TEXTURE,
        Size::Bytes(_) => &pack_weight_depthwise::BUFFER,
    };
    limits.step(kernel, g.specialization(), params, windows, kernel.workgroups(texels))
}
