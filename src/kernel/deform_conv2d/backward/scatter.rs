//! The gradient of the input: entries put in order, and gathered.

use super::{BLOCK_PIXELS, COLUMN_GRADIENT, DEPTHWISE_GRADIENT, QUADS_PER_BLOCK, with_last};
use crate::kernel::{
    Binding, COLUMNS_LAYOUT, GRID, Kernel, PACKED_TAPS, SCATTER, TEXELS, WindowParams, params, read, read_write,
    texture_read,
};

/// Entries that one turn of grad_input's loop visits.
pub const ENTRIES_PER_TURN: u32 = 4;

/// Counts entries by bin.
pub const BIN_COUNT: Kernel = Kernel {
    name: "deform_conv2d/bin_count",
    sources: &[include_str!("../../../../shaders/deform_conv2d/bin_count.wgsl"), SCATTER, PACKED_TAPS, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[texture_read("packed_taps"), read("order_before"), read_write("ends")],
    workgroup_size: 8,
    params: BinParams::FIELDS,
    constants: &[],
};

/// Turns counts into places.
pub const BIN_SCAN: Kernel = Kernel {
    name: "deform_conv2d/bin_scan",
    sources: &[include_str!("../../../../shaders/deform_conv2d/bin_scan.wgsl"), GRID],
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
    sources: &[include_str!("../../../../shaders/deform_conv2d/bin_fill.wgsl"), SCATTER, PACKED_TAPS, TEXELS, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[texture_read("packed_taps"), read("order_before"), read_write("ends"), read_write("order")],
    workgroup_size: 8,
    params: BinParams::FIELDS,
    constants: &[],
};

/// The gradient of the input, gathered.
pub const GRAD_INPUT: Kernel = grad_input(
    "deform_conv2d/grad_input",
    &[GRAD_INPUT_TEXT, COLUMN_GRADIENT, SINGLE, COLUMNS_LAYOUT, PACKED_TAPS, TEXELS, GRID],
    &GRAD_INPUT_BINDINGS,
    &[("ENTRIES_PER_TURN", ENTRIES_PER_TURN), ("QUADS_PER_BLOCK", QUADS_PER_BLOCK)],
);

/// The same, two quads of channels an invocation.
pub const GRAD_INPUT_PAIRED: Kernel = grad_input(
    "deform_conv2d/grad_input_paired",
    &[GRAD_INPUT_TEXT, COLUMN_GRADIENT, PAIRED, COLUMNS_LAYOUT, PACKED_TAPS, TEXELS, GRID],
    &GRAD_INPUT_BINDINGS,
    &[("ENTRIES_PER_TURN", ENTRIES_PER_TURN), ("QUADS_PER_BLOCK", QUADS_PER_BLOCK)],
);

/// [`GRAD_INPUT`] of a depth-wise convolution, whose columns have no gradient of their own.
pub const GRAD_INPUT_DEPTHWISE: Kernel = grad_input(
    "deform_conv2d/grad_input_depthwise",
    &[GRAD_INPUT_TEXT, DEPTHWISE_GRADIENT, SINGLE, PACKED_TAPS, TEXELS, GRID],
    &GRAD_INPUT_DEPTHWISE_BINDINGS,
    &[("ENTRIES_PER_TURN", ENTRIES_PER_TURN), ("BLOCK_PIXELS", BLOCK_PIXELS)],
);

/// The same, two quads of channels an invocation.
pub const GRAD_INPUT_DEPTHWISE_PAIRED: Kernel = grad_input(
    "deform_conv2d/grad_input_depthwise_paired",
    &[GRAD_INPUT_TEXT, DEPTHWISE_GRADIENT, PAIRED, PACKED_TAPS, TEXELS, GRID],
    &GRAD_INPUT_DEPTHWISE_BINDINGS,
    &[("ENTRIES_PER_TURN", ENTRIES_PER_TURN), ("BLOCK_PIXELS", BLOCK_PIXELS)],
);

const SINGLE: &str = "const PAIRED = false;\n";
const PAIRED: &str = "const PAIRED = true;\n";

const GRAD_INPUT_TEXT: &str = include_str!("../../../../shaders/deform_conv2d/grad_input.wgsl");

const GRAD_INPUT_BINDINGS: [Binding; 5] = grad_input_bindings(read("column_gradient"));
const GRAD_INPUT_DEPTHWISE_BINDINGS: [Binding; 6] =
    with_last(grad_input_bindings(texture_read("packed_grad_output")), texture_read("packed_weight"));

const fn grad_input_bindings(gradient: Binding) -> [Binding; 5] {
    [texture_read("packed_taps"), gradient, read("order"), read("ends"), read_write("grad_input")]
}

const fn grad_input(
    name: &'static str,
    sources: &'static [&'static str],
    bindings: &'static [Binding],
    constants: &'static [(&'static str, u32)],
) -> Kernel {
    Kernel {
        name,
        sources,
        unrolled: None,
        subgroups: false,
        bindings,
        workgroup_size: 32,
        params: GradInputParams::FIELDS,
        constants,
    }
}

/// Fills a gradient with zeros.
pub const FILL_ZERO: Kernel = Kernel {
    name: "deform_conv2d/fill_zero",
    sources: &[include_str!("../../../../shaders/deform_conv2d/fill_zero.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read_write("gradient")],
    workgroup_size: 64,
    params: WindowParams::FIELDS,
    constants: &[],
};

params! {
    /// The uniform of bin_count and bin_fill.
    BinParams {
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
        /// 1 where a pass came before.
        follows,
        /// Bins from a cell to the next of its row.
        column_step,
        /// Bins from a cell to the one below it.
        row_step,
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
        /// Quads of all segments.
        all_quads,
        /// The number of this step's first quad among all.
        first_quad,
        /// How far a tap lies from the right in the number of a depth-wise convolution's column; below lies the pixel.
        tap_shift,
        /// Entries of one offset group.
        entries,
        /// Counters of one offset group.
        counters,
        /// The same of a row of cells.
        counters_per_row,
        /// Which rows of cells: even or odd.
        parity,
        /// Rows of cells of this parity.
        rows,
        /// Lanes that walk a row together.
        lanes_per_row,
        /// Rows, times the parts that an invocation's quads cut an offset group's into, and units that fill up whole vectors.
        units_per_group,
        /// The same of all offset groups.
        units,
        /// Where this step's channels start in the bound gradient.
        grad_input_base,
    }
}
