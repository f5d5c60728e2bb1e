//! The uniforms of the backward pass.

use crate::kernel::params;

params! {
    /// The uniform of pack_grad_output.
    PackGradOutputParams {
        /// Output channels of a weight group.
        rows,
        /// Quads of this step's channels.
        quads,
        /// Quads of all segments.
        all_quads,
        /// Pixels of one output plane.
        out_pixels,
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// Texels to write.
        texels,
        /// Where the image starts in the bound gradient.
        grad_output_base,
    }
}

params! {
    /// The uniform of pack_weight_columns.
    PackWeightColumnsParams {
        /// Channels of a segment.
        segment_channels,
        /// Quads of each segment in this step.
        segment_quads,
        /// Segments of a weight group.
        segments_per_group,
        /// Quads of this step's channels.
        quads,
        /// Taps in all.
        taps,
        /// Output channels of a weight group.
        rows,
        /// Quads of the output channels of a weight group.
        row_quads,
        /// Texels to write.
        texels,
    }
}

params! {
    /// The uniform of the variants of grad_column.
    GradColumnParams {
        /// Taps in all.
        taps,
        /// Quads of all segments.
        all_quads,
        /// The number of this step's first quad among all.
        first_quad,
        /// Quads of this step's channels.
        quads,
        /// Quads of each segment in this step.
        segment_quads,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of a weight group.
        segments_per_group,
        /// First group of this step.
        group_start,
        /// Blocks of quads of a weight group.
        quad_blocks,
        /// Quads of the output channels of a weight group.
        row_quads,
        /// The same of all weight groups.
        all_row_quads,
        /// The same, filled up to whole blocks.
        padded_pixels,
        /// Blocks of pixels.
        pixel_blocks,
        /// Workgroups with something to do.
        workgroups,
    }
}

params! {
    /// The uniform of grad_offset.
    GradOffsetParams {
        /// Rows of the input.
        in_height,
        /// Columns of the input.
        in_width,
        /// Columns of the output.
        out_width,
        /// Pixels of one output plane.
        out_pixels,
        /// Taps along x.
        kernel_width,
        /// Taps in all.
        taps,
        /// Stride along y.
        stride_h,
        /// Stride along x.
        stride_w,
        /// Padding along y.
        pad_h,
        /// Padding along x.
        pad_w,
        /// Dilation along y.
        dil_h,
        /// Dilation along x.
        dil_w,
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// The same, filled up to whole blocks.
        padded_pixels,
        /// Quads of this step's channels.
        quads,
        /// Quads of each segment in this step.
        segment_quads,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of an offset group.
        segments_per_offset_group,
        /// First group of this step.
        group_start,
        /// Invocations with something to do.
        invocations,
        /// Where this step's offset groups start in the bound offset.
        offset_base,
        /// Where they start in the bound mask.
        mask_base,
        /// Where this step's offset groups start in the bound gradient of the offset.
        grad_offset_base,
        /// The same of the mask.
        grad_mask_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
        /// 1 where the segment's first channels came in an earlier step.
        follows,
        /// 1 where the gradient of the offset is wanted.
        wants_offset,
        /// 1 where that of the mask is wanted.
        wants_mask,
        /// 1 where the columns are wanted.
        wants_columns,
        /// 1 to add to the gradient of the offset.
        adds_offset,
        /// 1 to add to that of the mask.
        adds_mask,
        /// 1 where the derivative by the position is 0 at exactly −1, as in mmcv.
        zero_at_border,
    }
}

params! {
    /// The uniform of bin_count and bin_fill.
    BinParams {
        /// Rows of the input.
        in_height,
        /// Columns of the input.
        in_width,
        /// Columns of the output.
        out_width,
        /// Pixels of one output plane.
        out_pixels,
        /// Taps along x.
        kernel_width,
        /// Taps in all.
        taps,
        /// Stride along y.
        stride_h,
        /// Stride along x.
        stride_w,
        /// Padding along y.
        pad_h,
        /// Padding along x.
        pad_w,
        /// Dilation along y.
        dil_h,
        /// Dilation along x.
        dil_w,
        /// First output pixel of the window.
        first_pixel,
        /// Output pixels of the window.
        pixels,
        /// The same, filled up to whole blocks.
        padded_pixels,
        /// Entries of one offset group.
        entries,
        /// Bins of one offset group.
        bins,
        /// Walkers of one offset group.
        walkers,
        /// Entries that a walker walks.
        entries_per_walker,
        /// Groups of this step.
        groups,
        /// 0 in the first pass, by column; 1 in the second.
        by_row,
        /// Where this step's offset groups start in the bound offset.
        offset_base,
        /// Where they start in the bound mask.
        mask_base,
        /// 1 where there is a mask (v2), 0 where there is none (v1).
        has_mask,
    }
}

params! {
    /// The uniform of bin_scan.
    BinScanParams {
        /// Bins times walkers.
        counters,
        /// Counters of one invocation.
        counters_per_lane,
        /// Groups of this step.
        groups,
    }
}

params! {
    /// The uniform of grad_input.
    GradInputParams {
        /// Rows of the input.
        in_height,
        /// Columns of the input.
        in_width,
        /// Channels of a segment.
        segment_channels,
        /// Quads of each segment in this step.
        segment_quads,
        /// First quad of each segment in this step.
        quad_start,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of an offset group.
        segments_per_offset_group,
        /// First group of this step.
        group_start,
        /// Quads of this step's channels.
        quads,
        /// Entries of one offset group.
        entries,
        /// Bins of one offset group.
        bins,
        /// Walkers of one offset group.
        walkers,
        /// Which rows of cells: even or odd.
        parity,
        /// Output channels of a weight group.
        rows,
        /// Lanes that walk a row together.
        lanes_per_row,
        /// How many times these lanes' quads an offset group has.
        parts,
        /// Rows, parts and groups in all.
        units,
        /// Where this step's channels start in the bound gradient.
        grad_input_base,
    }
}

params! {
    /// The uniform of the variants of grad_weight.
    GradWeightParams {
        /// Taps in all.
        taps,
        /// Quads of this step's channels.
        quads,
        /// Quads of each segment in this step.
        segment_quads,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of a weight group.
        segments_per_group,
        /// First group of this step.
        group_start,
        /// Groups of this step.
        groups,
        /// Quads of the output channels of a weight group.
        row_quads,
        /// The same of all weight groups.
        all_row_quads,
        /// Blocks of pixels.
        pixel_blocks,
        /// Turns of the loop of one split.
        turns_per_split,
        /// Tiles of columns.
        column_tiles,
        /// Tiles of output channels.
        row_tiles,
        /// Workgroups with something to do.
        workgroups,
    }
}

params! {
    /// The uniform of grad_weight_reduce.
    GradWeightReduceParams {
        /// Taps in all.
        taps,
        /// Channels of a segment.
        segment_channels,
        /// Quads of each segment in this step.
        segment_quads,
        /// First quad of each segment in this step.
        quad_start,
        /// First segment of this step.
        segment_start,
        /// One past the last.
        segment_end,
        /// Segments of a weight group.
        segments_per_group,
        /// First group of this step.
        group_start,
        /// Groups of this step.
        groups,
        /// Output channels of a weight group.
        rows,
        /// Quads of output channels of a tile.
        row_quads_per_tile,
        /// Quads of columns of a tile.
        column_quads_per_tile,
        /// Tiles of columns.
        column_tiles,
        /// Tiles of output channels.
        row_tiles,
        /// Splits of the sum.
        splits,
        /// Lanes of each split.
        lanes,
        /// Elements to write.
        elements,
    }
}

params! {
    /// The uniform of grad_bias.
    GradBiasParams {
        /// Pixels of one output plane.
        out_pixels,
        /// Slices of a channel.
        slices,
        /// Invocations with something to do.
        invocations,
        /// Where the image starts in the bound gradient.
        grad_output_base,
    }
}

params! {
    /// The uniform of grad_bias_reduce.
    GradBiasReduceParams {
        /// Output channels.
        out_channels,
        /// Slices of a channel.
        slices,
    }
}

params! {
    /// The uniform of fill_zero.
    FillZeroParams {
        /// Elements to write.
        elements,
        /// Where the window starts in the bound gradient.
        base,
    }
}
