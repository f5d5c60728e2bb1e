// Where the taps of a convolution lie: the first words of the uniform of every kernel that asks.

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
    /// Taps in all.
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
