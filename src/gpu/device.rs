//! A wgpu device with its queue, the facts that plans need, and the error scopes that all calls to wgpu go through.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::plan::{DeviceKind, DeviceLimits};

/// The most bytes that are bound as one storage buffer. wgpu's bounds checks on Metal count bytes in 32 bits, where a device may grant more.
const MAX_BINDING_BYTES: u64 = (1 << 31) - 256;

#[derive(Debug)]
pub(super) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) limits: DeviceLimits,
    /// The first error that wgpu reported late: see [`Device::late_error`].
    late_error: Arc<Mutex<Option<String>>>,
}

impl Device {
    pub(super) fn new(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let granted = device.limits();
        let info = device.adapter_info();
        let one_size = info.subgroup_min_size == info.subgroup_max_size;
        // A browser wants shaders to enable subgroups by a line that naga does not know.
        let native = info.backend != wgpu::Backend::BrowserWebGpu;
        let subgroups = device.features().contains(wgpu::Features::SUBGROUP) && one_size && native;
        let limits = DeviceLimits {
            // Scratch is bound whole, as a buffer of its own.
            max_binding_bytes: granted
                .max_storage_buffer_binding_size
                .min(granted.max_buffer_size)
                .min(MAX_BINDING_BYTES),
            binding_alignment: granted.min_storage_buffer_offset_alignment.into(),
            max_workgroups_per_axis: granted.max_compute_workgroups_per_dimension.into(),
            max_texture_axis: granted.max_texture_dimension_2d.into(),
            subgroup_size: if subgroups { info.subgroup_min_size.into() } else { 0 },
            f16: device.features().contains(wgpu::Features::SHADER_F16),
            kind: match info.device_type {
                wgpu::DeviceType::Cpu => DeviceKind::Cpu,
                wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
                wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
                wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => DeviceKind::Other,
            },
        };
        Self { device, queue, info, limits, late_error: Arc::default() }
    }

    /// Runs `work` and returns the first error that wgpu raised during it. None of them reaches a handler of the caller.
    pub(super) fn checked<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let filters = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let value = work();
        // Scopes are a stack.
        let popped = scopes.into_iter().rev().map(wgpu::ErrorScopeGuard::pop);
        self.first_error(popped.collect()).map_or(Ok(value), |message| Err(Error::Device { message }))
    }

    /// Outside the web the popped futures are ready at once.
    #[cfg(not(target_arch = "wasm32"))]
    #[allow(clippy::unused_self, reason = "on the web it is needed")]
    fn first_error(&self, popped: Vec<impl Future<Output = Option<wgpu::Error>> + 'static>) -> Option<String> {
        let errors: Vec<_> = popped.into_iter().filter_map(pollster::block_on).collect();
        errors.first().map(ToString::to_string)
    }

    /// On the web they are ready later, and the next download reports the error.
    #[cfg(target_arch = "wasm32")]
    fn first_error(&self, popped: Vec<impl Future<Output = Option<wgpu::Error>> + 'static>) -> Option<String> {
        let late_error = Arc::clone(&self.late_error);
        wasm_bindgen_futures::spawn_local(async move {
            for popped in popped {
                if let Some(error) = popped.await {
                    log::error!("{error}");
                    let mut late = late_error.lock().unwrap_or_else(PoisonError::into_inner);
                    late.get_or_insert(error.to_string());
                }
            }
        });
        None
    }

    /// The first error since the last call that wgpu reported only after the call that caused it. That happens on the web.
    pub(super) fn late_error(&self) -> Result<()> {
        let late = self.late_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        late.map_or(Ok(()), |message| Err(Error::Device { message }))
    }
}
