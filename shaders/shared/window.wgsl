// The parameters of an elementwise kernel on a window of a tensor.

struct Params {
    /// Elements of the window.
    elements: u32,
    /// Start of the window in the bound tensor, in elements.
    base: u32,
}
