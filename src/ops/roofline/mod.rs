//! The ceilings of an adapter: its multiply-add rate and its copy rate, measured by two micro-kernels.
//!
//! A kernel's rate divided by the ceiling is the share of the machine that the kernel uses. Such shares can be compared
//! between runs and between machines, where times cannot.

#[cfg(not(target_arch = "wasm32"))]
mod measure;

/// The measured rates of an adapter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofline {
    /// f32 floating-point operations per second, where a multiply-add counts as two.
    pub multiply_add_flops: f64,
    /// Bytes read plus bytes written per second.
    pub copy_bytes_per_second: f64,
}
