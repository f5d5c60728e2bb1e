//! Plans: the interface between operators and the engine. An operator turns a geometry and a device's limits into a
//! [`Plan`], and the engine turns a plan into dispatches. Nothing here needs a device.

mod class;
mod limits;
mod parts;
mod shape;
mod steps;

pub use class::{DeviceKind, GpuClass, ParseGpuClassError};
pub use limits::DeviceLimits;
pub(crate) use limits::{MAX_INDEX, binding_too_large};
pub(crate) use parts::{Len, even, largest, split};
pub(crate) use shape::{check_elements, check_shape};
pub(crate) use steps::{F32_BYTES, MAX_LOOP_STEPS, TEXEL_BYTES};
pub use steps::{MAX_STEPS, Plan, Scratch, Size, Step, WORKSPACE, Window};
