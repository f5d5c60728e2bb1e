// Where the taps of a convolution lie: the first words of the uniform of every kernel that asks.

struct TapGeometry {
    in_height: u32,
    in_width: u32,
    out_width: u32,
    out_pixels: u32,
    kernel_width: u32,
    taps: u32,
    stride_h: u32,
    stride_w: u32,
    pad_h: u32,
    pad_w: u32,
    dil_h: u32,
    dil_w: u32,
}
