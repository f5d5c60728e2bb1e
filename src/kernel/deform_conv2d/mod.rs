//! The kernels of [`ops::deform_conv2d`](crate::ops::deform_conv2d).

mod backward;
mod columns;
mod depthwise;
mod direct;
mod subgroup;
mod tiled;

pub use backward::*;
pub use columns::*;
pub use depthwise::*;
pub use direct::*;
pub use subgroup::*;
pub use tiled::*;

use crate::kernel::params;

params! {
    /// Where taps sample: the first words of every uniform of a kernel that samples (shaders/shared/tap_geometry.wgsl).
    TapGeometry {
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
    }
}
