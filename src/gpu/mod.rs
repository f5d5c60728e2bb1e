//! The device, the tensors on it, the compiled pipelines, and the engine that executes plans. No other code names wgpu.

mod adapter;
mod bound;
mod context;
mod device;
mod engine;
mod lock;
mod pipeline;
mod prepared;
mod program;
mod recorder;
mod scratch;
mod tensor;
#[cfg(all(test, not(target_arch = "wasm32")))]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests;
mod texture;

pub use bound::Bound;
pub use context::Gpu;
pub(crate) use engine::Engine;
pub use prepared::Prepared;
pub(crate) use prepared::{Call, Packed};
pub(crate) use program::{Expected, Planned};
pub use recorder::Recorder;
pub use tensor::Tensor;
pub use texture::TextureRegion;
pub(crate) use texture::{BoundTexture, Texels};
pub use wgpu;
