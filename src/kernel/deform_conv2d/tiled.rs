//! The fused kernels for GPUs: one text, a variant for each tile.

use crate::kernel::{
    BILINEAR, Binding, GRID, Kernel, TAPS, WEIGHT_ROWS, operand, output, params, read, read_write, tap_params, unroll,
};

/// Packs the weight: one row a sampled value, its output channels side by side.
pub const PACK_WEIGHT_ROWS: Kernel = Kernel {
    name: "deform_conv2d/pack_weight_rows",
    sources: &[include_str!("../../../shaders/deform_conv2d/pack_weight_rows.wgsl"), WEIGHT_ROWS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("weight"), read_write("packed_weight")],
    workgroup_size: 64,
    params: PackWeightRowsParams::FIELDS,
    constants: &[],
};

/// Adds what the splits of a product left, in their order.
pub const REDUCE: Kernel = Kernel {
    name: "deform_conv2d/reduce",
    sources: &[include_str!("../../../shaders/deform_conv2d/reduce.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("partial"), operand("bias"), output("output")],
    workgroup_size: 64,
    params: ReduceParams::FIELDS,
    constants: &[],
};

/// A tile of the product: what a workgroup computes, and how its invocations share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileShape {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Output channels of a tile.
    pub m: u32,
    /// Columns (output pixels) of a tile.
    pub n: u32,
    /// Channels that it takes in at a time.
    pub k: u32,
}

/// Segments' channels in the packed weight are filled up to a multiple of this: every tile's k divides it.
pub const PADDED_CHANNELS: u32 = 16;

impl TileShape {
    /// Loop steps of one invocation that spend themselves on one block of k channels: loads of samples and weights, products.
    #[must_use]
    pub const fn loop_steps_per_block(&self) -> u32 {
        let invocations = self.kernel.workgroup_size;
        let samples = self.k * (self.n / 4) / invocations;
        let loads = (self.k * self.m / 4).div_ceil(invocations);
        1 + (samples + 1) + (loads + 1) + (self.k + 1)
    }
}

/// A variant of the fused kernel. An invocation owns `$vectors_m` vec4s of output channels by `$vectors_n` of columns.
macro_rules! tile {
    ($(#[$doc:meta])* $id:ident, $kernel:ident, $m:literal , $n:literal , $k:literal, $vectors_m:literal , $vectors_n:literal) => {
        const $kernel: Kernel = Kernel {
            name: concat!("deform_conv2d/fused_tiled_", $m, "x", $n),
            sources: &[
                include_str!("../../../shaders/deform_conv2d/fused_tiled.wgsl"),
                concat!(
                    "const TILE_M = ", $m, "u;\nconst TILE_N = ", $n, "u;\nconst TILE_K = ", $k,
                    "u;\nconst ROW_LANES = TILE_M / ", $vectors_m, "u / 4u;\nconst COLUMN_LANES = TILE_N / ", $vectors_n,
                    "u / 4u;\n"
                ),
                TAPS,
                BILINEAR,
                GRID,
            ],
            unrolled: Some(unroll::fused_tiled::<$vectors_m, $vectors_n>),
            subgroups: false,
            bindings: TILED_BINDINGS,
            workgroup_size: $m * $n / ($vectors_m * $vectors_n * 16),
            params: FusedTiledParams::FIELDS,
            constants: &[("TILE_M", $m), ("TILE_N", $n), ("TILE_K", $k)],
        };
        $(#[$doc])*
        pub const $id: TileShape = TileShape { kernel: &$kernel, m: $m, n: $n, k: $k };
    };
}

tile!(
    /// 256 invocations of 8×8: for many output channels on a large GPU.
    TILE_128X128, FUSED_TILED_128X128, 128, 128, 8, 2, 2
);
tile!(
    /// 128 invocations of 8×8.
    TILE_128X64, FUSED_TILED_128X64, 128, 64, 16, 2, 2
);
tile!(
    /// 64 invocations of 8×8.
    TILE_64X64, FUSED_TILED_64X64, 64, 64, 16, 2, 2
);
tile!(
    /// 128 invocations of 4×4: few registers, for Apple, Intel and mobile GPUs.
    TILE_32X64, FUSED_TILED_32X64, 32, 64, 16, 1, 1
);
tile!(
    /// 64 invocations of 4×4: the least that a tile can be.
    TILE_32X32, FUSED_TILED_32X32, 32, 32, 16, 1, 1
);

const TILED_BINDINGS: &[Binding] =
    &[operand("input"), read("packed_weight"), operand("offset"), operand("mask"), operand("bias"), output("output")];

params! {
    /// The uniform of pack_weight_rows.
    PackWeightRowsParams {
        /// Output channels of a weight group.
        rows,
        /// The same, filled up to whole vec4s.
        padded_rows,
        /// Segments of a weight group.
        segments_per_group,
        /// Channels of a segment.
        segment_channels,
        /// The same, filled up.
        padded_channels,
        /// Taps in all.
        taps,
        /// vec4s to write.
        quads,
    }
}

params! {
    /// The uniform of reduce.
    ReduceParams {
        /// Output channels.
        out_channels,
        /// Pixels of one output plane.
        out_pixels,
        /// Columns of this step: images times output pixels.
        columns,
        /// Output elements of this step.
        outputs,
        /// Parts to add.
        splits,
        /// Where the first image starts in the bound output.
        output_base,
        /// 1 where there is a bias.
        has_bias,
    }
}

tap_params! {
    /// The uniform of the tiled kernels. Strides and bases count elements.
    FusedTiledParams {
        /// Segments of a weight group.
        segments_per_group,
        /// Segments of an offset group.
        segments_per_offset_group,
        /// Channels of a segment.
        segment_channels,
        /// The same, filled up.
        padded_channels,
        /// Output channels of a weight group.
        rows,
        /// The same, filled up to whole vec4s.
        padded_rows,
        /// Columns of this step: images times output pixels.
        columns,
        /// Tiles along the columns.
        column_tiles,
        /// Tiles along a weight group's rows.
        row_tiles,
        /// Weight groups.
        groups,
        /// Parts of the sum; with more than one, output is partial.
        splits,
        /// (segment, tap, channel block)s of each part.
        blocks_per_split,
        /// Elements between images of the input.
        input_image_stride,
        /// Elements between images of the offset.
        offset_image_stride,
        /// Elements between images of the mask.
        mask_image_stride,
        /// Elements between images of the output.
        output_image_stride,
        /// Where the first image starts in the bound input.
        input_base,
        /// Where it starts in the bound offset.
        offset_base,
        /// Where it starts in the bound mask.
        mask_base,
        /// Where it starts in the bound output.
        output_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
        /// 1 where there is a bias.
        has_bias,
    }
}
