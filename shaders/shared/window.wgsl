// The parameters of a kernel that works through a window of a tensor, element by element.

struct Params {
    /// Elements of the window.
    elements: u32,
    /// Where it starts in the bound tensor.
    base: u32,
}
