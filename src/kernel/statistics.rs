//! The kernels of [`ops::statistics`](crate::ops::statistics).

use crate::kernel::{
    BILINEAR, FINITE, GRID, Kernel, MAGNITUDE as COUNTED, TAPS, WindowParams, operand, params, read, read_write,
    tap_params,
};

/// The size of a tensor's elements, as partial sums.
pub const MAGNITUDE: Kernel = Kernel {
    name: "statistics/magnitude",
    sources: &[include_str!("../../shaders/statistics/magnitude.wgsl"), COUNTED, FINITE, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("elements"), read_write("partial")],
    workgroup_size: 64,
    params: WindowParams::FIELDS,
    constants: &[("SLICES", SLICES)],
};

/// How far offsets move taps, as partial sums.
pub const OFFSET_MAGNITUDE: Kernel = Kernel {
    name: "statistics/offset_magnitude",
    sources: &[include_str!("../../shaders/statistics/offset_magnitude.wgsl"), COUNTED, TAPS, BILINEAR, GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[operand("offset"), read_write("partial")],
    workgroup_size: 64,
    params: OffsetMagnitudeParams::FIELDS,
    constants: &[("SLICES", SLICES)],
};

/// Puts partial sums together.
pub const STATISTICS_REDUCE: Kernel = Kernel {
    name: "statistics/statistics_reduce",
    sources: &[include_str!("../../shaders/statistics/statistics_reduce.wgsl"), GRID],
    unrolled: None,
    subgroups: false,
    bindings: &[read("partial"), read_write("total")],
    workgroup_size: 64,
    params: StatisticsReduceParams::FIELDS,
    constants: &[("SLICES", SLICES)],
};

/// Invocations that share the elements of a window.
pub const SLICES: u32 = 4096;

tap_params! {
    /// The uniform of offset_magnitude.
    OffsetMagnitudeParams {
        /// Taps of all pixels of all offset groups of the step's images.
        all_taps,
        /// Where the first image starts in the bound offset.
        base,
    }
}

params! {
    /// The uniform of statistics_reduce.
    StatisticsReduceParams {
        /// 1 where earlier windows left a total.
        follows,
    }
}
