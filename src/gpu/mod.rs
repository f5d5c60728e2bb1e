//! The device, the tensors on it, the compiled pipelines, and the engine that executes plans. No other code names wgpu.

mod context;
mod device;
mod engine;
mod pipeline;
mod recorder;
mod scratch;
mod tensor;
mod texture;

pub use context::Gpu;
pub(crate) use engine::{Call, Engine, Packed, Prepared};
pub use recorder::Recorder;
pub use tensor::Tensor;
pub(crate) use texture::BoundTexture;
pub use texture::TextureRegion;
pub use wgpu::{self, CommandEncoder};
