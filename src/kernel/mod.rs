//! The kernels. A shader file is the only description of its kernel; `cargo xtask kernels` reads it and writes the
//! modules here.
//!
//! For example, [`forward::im2col`] is written from `shaders/forward/im2col.wgsl`. It holds the [`Kernel`], the struct
//! of its parameters, and its constants.

mod declaration;
mod expand;
mod expression;
#[cfg(deform_shader_folder)]
mod folder;
#[allow(dead_code, reason = "it holds whatever the shaders declare")]
mod generated;
mod modules;
mod sources;
mod specialization;

pub(crate) use declaration::{Access, Kernel, Params, TexelFormat};
#[cfg(test)]
pub(crate) use expand::Expanded;
pub(crate) use generated::*;
pub use modules::wgsl_modules;
pub(crate) use specialization::{Sampling, Specialization, Storage};
