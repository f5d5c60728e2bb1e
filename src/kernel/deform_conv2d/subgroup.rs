//! The fused kernels for CPU drivers with subgroups of 8, and the packing they need.

use crate::kernel::{
    BILINEAR, Binding, GRID, Kernel, SAMPLE, TAPS, operand, output, params, tap_params, texture_read, texture_write,
    unroll,
};

/// Packs the input into a texture, four channels a texel, surrounded by zeros.
pub const PACK_INPUT: Kernel = Kernel {
    name: "deform_conv2d/pack_input",
    sources: &[include_str!("../../../shaders/deform_conv2d/pack_input.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("input"), texture_write("packed_input")],
    workgroup_size: 64,
    params: PackInputParams::FIELDS,
    constants: &[("ROWS_PER_INVOCATION", PACK_INPUT_ROWS)],
};

/// Rows of the texture that an invocation of pack_input writes.
pub const PACK_INPUT_ROWS: u32 = 8;

/// Packs the weight into a texture, four input channels a texel.
pub const PACK_WEIGHT: Kernel = Kernel {
    name: "deform_conv2d/pack_weight",
    sources: &[include_str!("../../../shaders/deform_conv2d/pack_weight.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("weight"), texture_write("packed_weight")],
    workgroup_size: 64,
    params: PackWeightParams::FIELDS,
    constants: &[],
};

/// Samples straight into the product, 64 output channels at a time.
pub const FUSED_SUBGROUP_64: Kernel = fused(
    "deform_conv2d/fused_subgroup_64",
    unroll::fused_subgroup::<64>,
    &[("PIXELS_PER_INVOCATION", PIXELS_PER_INVOCATION), ("OUT_CHANNELS", 64), ("SUBGROUP_SIZE", SUBGROUP_SIZE)],
);

/// Samples straight into the product, 32 output channels at a time.
pub const FUSED_SUBGROUP_32: Kernel = fused(
    "deform_conv2d/fused_subgroup_32",
    unroll::fused_subgroup::<32>,
    &[("PIXELS_PER_INVOCATION", PIXELS_PER_INVOCATION), ("OUT_CHANNELS", 32), ("SUBGROUP_SIZE", SUBGROUP_SIZE)],
);

const FUSED_BINDINGS: &[Binding] = &[
    texture_read("packed_input"),
    texture_read("packed_weight"),
    operand("offset"),
    operand("mask"),
    operand("bias"),
    output("output"),
];

const fn fused(name: &'static str, main: fn() -> String, constants: &'static [(&'static str, u32)]) -> Kernel {
    Kernel {
        name,
        sources: &[include_str!("../../../shaders/deform_conv2d/fused_subgroup.wgsl"), SAMPLE, TAPS, BILINEAR, GRID],
        unrolled: Some(main),
        subgroups: true,
        bindings: FUSED_BINDINGS,
        workgroup_size: SUBGROUP_SIZE,
        params: FusedSubgroupParams::FIELDS,
        constants,
    }
}

/// Lanes of the subgroups that the fused kernels are written for; one is a workgroup.
pub const SUBGROUP_SIZE: u32 = 8;
/// Output pixels of one invocation of a fused kernel.
pub const PIXELS_PER_INVOCATION: u32 = 4;

/// Loop steps that one invocation of a fused kernel spends on `segments` segments of `quads` quads each.
#[must_use]
pub const fn fused_subgroup_loop_steps(segments: u64, taps: u64, quads: u64) -> u64 {
    let stores = (PIXELS_PER_INVOCATION * 64) as u64;
    1 + segments * taps * (2 + quads) + 1 + stores
}

params! {
    /// The uniform of pack_input. Segments and quads: see shaders/deform_conv2d/pack_input.wgsl.
    PackInputParams {
        /// Rows of the input.
        in_height,
        /// Columns of the input.
        in_width,
        /// Channels of a segment.
        segment_channels,
        /// Quads of a segment in the texture.
        quads,
        /// First of them, counted from the segment's first.
        quad_start,
        /// Columns to write.
        texture_width,
        /// Rows to write.
        texture_height,
        /// Where the first channel in the texture starts in the bound input.
        input_base,
    }
}

params! {
    /// The uniform of pack_weight.
    PackWeightParams {
        /// Channels of a segment.
        segment_channels,
        /// Quads of a segment.
        quads,
        /// Taps in all.
        taps,
        /// Elements between rows of the weight.
        row_stride,
        /// Columns to write.
        texture_width,
        /// Texels to write.
        texels,
    }
}

tap_params! {
    /// The uniform of the fused kernels. Segments and quads: see shaders/deform_conv2d/pack_input.wgsl.
    FusedSubgroupParams {
        /// Segments of a weight group.
        segments_per_group,
        /// Segments of an offset group.
        segments_per_offset_group,
        /// First segment of this step.
        segment_start,
        /// One past the last segment of this step.
        segment_end,
        /// Quads of a segment in the packed weight.
        quads,
        /// First quad of each segment in this step.
        quad_start,
        /// One past the last quad of each segment in this step.
        quad_end,
        /// Output channels of a weight group.
        rows,
        /// Blocks of output channels of a weight group.
        row_blocks,
        /// Blocks of output pixels.
        pixel_blocks,
        /// First weight group of this step.
        group_start,
        /// Workgroups with something to do.
        blocks,
        /// Where the image starts in the bound offset.
        offset_base,
        /// Where the image starts in the bound mask.
        mask_base,
        /// Where the image starts in the bound output.
        output_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
        /// 1 where there is a bias.
        has_bias,
    }
}
