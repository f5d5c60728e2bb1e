// The geometry of a convolution's taps. It is the first member of the parameters of every kernel that computes
// positions.

/// Sizes and options that the positions of taps follow from.
struct TapGeometry {
    /// Rows of the input.
    in_height: u32,
    /// Columns of the input.
    in_width: u32,
    /// Columns of the output.
    out_width: u32,
    /// Pixels of one output plane.
    out_pixels: u32,
    /// Taps along x.
    kernel_width: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Stride along y.
    stride_h: u32,
    /// Stride along x.
    stride_w: u32,
    /// Padding along y.
    pad_h: u32,
    /// Padding along x.
    pad_w: u32,
    /// Dilation along y.
    dil_h: u32,
    /// Dilation along x.
    dil_w: u32,
}
