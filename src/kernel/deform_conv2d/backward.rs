//! The kernels of the backward pass.

use super::backward_params::*;
use crate::kernel::unroll::backward as unroll;
use crate::kernel::{
    BILINEAR, GRID, Kernel, SCATTER, TAPS, TEXELS, operand, read, read_write, texture_read, texture_write,
};

/// Pixels that the textures of the backward pass keep together; a window of pixels is filled up to whole blocks.
pub const BLOCK_PIXELS: u32 = 32;
/// Entries that one turn of grad_input's loop visits.
pub const ENTRIES_PER_TURN: u32 = 4;
/// Pixels of one invocation of grad_column.
pub const GRAD_COLUMN_PIXELS: u32 = 4;
/// Pixels that a lane of grad_weight adds in one turn of its loop.
pub const GRAD_WEIGHT_PIXELS: u32 = 2;
/// Quads of channels of one invocation of grad_column.
pub const GRAD_COLUMN_QUADS: u32 = 8;

/// Packs the gradient of the output into a texture, four channels a texel.
pub const PACK_GRAD_OUTPUT: Kernel = Kernel {
    name: "deform_conv2d/pack_grad_output",
    sources: &[include_str!("../../../shaders/deform_conv2d/pack_grad_output.wgsl"), TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("grad_output"), texture_write("packed_grad_output")],
    workgroup_size: 64,
    params: PackGradOutputParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS)],
};

/// Packs the weight into a texture, four output channels a texel.
pub const PACK_WEIGHT_COLUMNS: Kernel = Kernel {
    name: "deform_conv2d/pack_weight_columns",
    sources: &[include_str!("../../../shaders/deform_conv2d/pack_weight_columns.wgsl"), TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("weight"), texture_write("packed_weight_columns")],
    workgroup_size: 64,
    params: PackWeightColumnsParams::FIELDS,
    constants: &[],
};

/// The gradient of the columns, where subgroups have 8 lanes.
pub const GRAD_COLUMN_SUBGROUP: Kernel = Kernel {
    name: "deform_conv2d/grad_column_subgroup",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_column.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_column::<8>),
    subgroups: true,
    bindings: &[
        texture_read("packed_grad_output"),
        texture_read("packed_weight_columns"),
        texture_write("grad_column"),
    ],
    workgroup_size: 8,
    params: GradColumnParams::FIELDS,
    constants: &[
        ("BLOCK_PIXELS", BLOCK_PIXELS),
        ("PIXELS_PER_INVOCATION", GRAD_COLUMN_PIXELS),
        ("QUADS_PER_INVOCATION", GRAD_COLUMN_QUADS),
        ("LANES", 8),
    ],
};

/// The gradient of the columns, anywhere.
pub const GRAD_COLUMN: Kernel = Kernel {
    name: "deform_conv2d/grad_column",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_column.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_column::<32>),
    subgroups: false,
    bindings: &[
        texture_read("packed_grad_output"),
        texture_read("packed_weight_columns"),
        texture_write("grad_column"),
    ],
    workgroup_size: 32,
    params: GradColumnParams::FIELDS,
    constants: &[
        ("BLOCK_PIXELS", BLOCK_PIXELS),
        ("PIXELS_PER_INVOCATION", GRAD_COLUMN_PIXELS),
        ("QUADS_PER_INVOCATION", GRAD_COLUMN_QUADS),
        ("LANES", 32),
    ],
};

/// The gradients of offset and mask, and the columns.
pub const GRAD_OFFSET: Kernel = Kernel {
    name: "deform_conv2d/grad_offset",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_offset.wgsl"), TAPS, BILINEAR, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[
        texture_read("packed_input"),
        texture_read("grad_column"),
        operand("offset"),
        operand("mask"),
        read_write("grad_offset"),
        read_write("grad_mask"),
        texture_write("columns"),
    ],
    workgroup_size: 64,
    params: GradOffsetParams::FIELDS,
    constants: &[("BLOCK_PIXELS", BLOCK_PIXELS)],
};

/// Counts entries by bin.
pub const BIN_COUNT: Kernel = Kernel {
    name: "deform_conv2d/bin_count",
    sources: &[include_str!("../../../shaders/deform_conv2d/bin_count.wgsl"), SCATTER, TAPS, BILINEAR, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("offset"), texture_read("source"), read_write("ends")],
    workgroup_size: 64,
    params: BinParams::FIELDS,
    constants: &[],
};

/// Turns counts into places.
pub const BIN_SCAN: Kernel = Kernel {
    name: "deform_conv2d/bin_scan",
    sources: &[include_str!("../../../shaders/deform_conv2d/bin_scan.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read_write("ends")],
    workgroup_size: 256,
    params: BinScanParams::FIELDS,
    constants: &[],
};

/// Puts entries into bins.
pub const BIN_FILL: Kernel = Kernel {
    name: "deform_conv2d/bin_fill",
    sources: &[include_str!("../../../shaders/deform_conv2d/bin_fill.wgsl"), SCATTER, TAPS, BILINEAR, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[
        operand("offset"),
        operand("mask"),
        texture_read("source"),
        read_write("ends"),
        texture_write("entries"),
    ],
    workgroup_size: 64,
    params: BinParams::FIELDS,
    constants: &[],
};

/// The gradient of the input, gathered.
pub const GRAD_INPUT: Kernel = Kernel {
    name: "deform_conv2d/grad_input",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_input.wgsl"), TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[texture_read("entries"), read("ends"), texture_read("grad_column"), read_write("grad_input")],
    workgroup_size: 32,
    params: GradInputParams::FIELDS,
    constants: &[("ENTRIES_PER_TURN", ENTRIES_PER_TURN)],
};

/// A variant of grad_weight: the kernel, and the quads of output channels and of columns of its tiles.
#[derive(Debug, Clone, Copy)]
pub struct GradWeightTile {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Sums that it leaves for each element and split: one a lane, unless these are a subgroup, which adds them.
    pub lanes: u32,
    /// Quads of output channels.
    pub row_quads: u32,
    /// Quads of columns.
    pub column_quads: u32,
}

/// 16 output channels by 16 columns, for CPU drivers: more sums than a GPU has registers for.
pub const GRAD_WEIGHT_16X16: GradWeightTile =
    GradWeightTile { kernel: &GRAD_WEIGHT_16X16_KERNEL, lanes: 1, row_quads: 4, column_quads: 4 };

/// 8 output channels by 8 columns.
pub const GRAD_WEIGHT_8X8: GradWeightTile =
    GradWeightTile { kernel: &GRAD_WEIGHT_8X8_KERNEL, lanes: 16, row_quads: 2, column_quads: 2 };

const GRAD_WEIGHT_16X16_KERNEL: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_16x16",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_weight.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_weight::<4, 4, 8>),
    subgroups: true,
    bindings: &[texture_read("packed_grad_output"), texture_read("columns"), read_write("partial")],
    workgroup_size: 8,
    params: GradWeightParams::FIELDS,
    constants: &[
        ("BLOCK_PIXELS", BLOCK_PIXELS),
        ("PIXELS_PER_TURN", GRAD_WEIGHT_PIXELS),
        ("ROW_QUADS", 4),
        ("COLUMN_QUADS", 4),
        ("LANES", 8),
    ],
};

const GRAD_WEIGHT_8X8_KERNEL: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_8x8",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_weight.wgsl"), TEXELS, GRID],
    unrolled: Some(unroll::grad_weight::<2, 2, 16>),
    subgroups: false,
    bindings: &[texture_read("packed_grad_output"), texture_read("columns"), read_write("partial")],
    workgroup_size: 16,
    params: GradWeightParams::FIELDS,
    constants: &[
        ("BLOCK_PIXELS", BLOCK_PIXELS),
        ("PIXELS_PER_TURN", GRAD_WEIGHT_PIXELS),
        ("ROW_QUADS", 2),
        ("COLUMN_QUADS", 2),
        ("LANES", 16),
    ],
};

/// Adds the partial sums of the gradient of the weight.
pub const GRAD_WEIGHT_REDUCE: Kernel = Kernel {
    name: "deform_conv2d/grad_weight_reduce",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_weight_reduce.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("partial"), read_write("grad_weight")],
    workgroup_size: 64,
    params: GradWeightReduceParams::FIELDS,
    constants: &[],
};

/// The gradient of the bias, as partial sums.
pub const GRAD_BIAS: Kernel = Kernel {
    name: "deform_conv2d/grad_bias",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_bias.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("grad_output"), read_write("partial")],
    workgroup_size: 64,
    params: GradBiasParams::FIELDS,
    constants: &[],
};

/// Adds the partial sums of the gradient of the bias.
pub const GRAD_BIAS_REDUCE: Kernel = Kernel {
    name: "deform_conv2d/grad_bias_reduce",
    sources: &[include_str!("../../../shaders/deform_conv2d/grad_bias_reduce.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("partial"), read_write("grad_bias")],
    workgroup_size: 64,
    params: GradBiasReduceParams::FIELDS,
    constants: &[],
};

/// Fills a gradient with zeros.
pub const FILL_ZERO: Kernel = Kernel {
    name: "deform_conv2d/fill_zero",
    sources: &[include_str!("../../../shaders/deform_conv2d/fill_zero.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read_write("gradient")],
    workgroup_size: 64,
    params: FillZeroParams::FIELDS,
    constants: &[],
};
