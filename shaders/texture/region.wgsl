// The parameters of a kernel that works through a rectangle of a texture.

struct Params {
    /// The rectangle's first row.
    origin_y: u32,
    /// Its first column.
    origin_x: u32,
    /// Its columns.
    width: u32,
    /// Its texels.
    pixels: u32,
    /// Channels of the tensor.
    channels: u32,
}
