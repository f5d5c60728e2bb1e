//! The only code that names wgpu: the device, tensors on it, pipelines, and the engine that executes plans.

mod context;
mod engine;
mod pipeline;
mod tensor;

pub use context::Gpu;
pub(crate) use engine::{Engine, Prepared};
pub use tensor::{Dtype, Element, Tensor};
pub use wgpu::{self, CommandEncoder};
