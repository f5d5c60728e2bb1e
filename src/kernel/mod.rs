//! The kernels. A shader file is the only description of its kernel; `cargo xtask kernels` reads it and writes the
//! modules here.
//!
//! For example, [`forward::im2col`] is written from `shaders/forward/im2col.wgsl`. It holds the [`Kernel`], the struct
//! of its parameters, and its constants.

mod declaration;
mod expand;
mod expression;
mod generated;
mod sources;
mod specialization;

pub use declaration::{Access, Binding, Kernel, Params, TexelFormat};
pub use expand::Expanded;
pub use generated::*;
pub use sources::ExpandError;
pub use specialization::{Sampling, Specialization, Storage};
