//! What an adapter can do at most: its multiply-add and copy rates, measured by two micro-kernels.
//!
//! A kernel's own rate divided by these says how much of the machine it uses, and that fraction can be compared between runs
//! and machines where times cannot.

#[cfg(not(target_arch = "wasm32"))]
mod measure;

/// An adapter's rates, as measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofline {
    /// f32 floating-point operations a second, a multiply-add counting two.
    pub multiply_add_flops: f64,
    /// Bytes read plus bytes written a second.
    pub copy_bytes_per_second: f64,
}
