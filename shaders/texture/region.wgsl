// The parameters of a kernel that works on a rectangle of a texture.

struct Params {
    /// First row of the rectangle.
    origin_y: u32,
    /// First column of the rectangle.
    origin_x: u32,
    /// Columns of the rectangle.
    width: u32,
    /// Texels of the rectangle.
    pixels: u32,
    /// Channels of the tensor.
    channels: u32,
}
