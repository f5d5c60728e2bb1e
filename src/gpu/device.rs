//! A wgpu device with its queue and its limits, and the error scopes around all calls to wgpu.

use std::sync::{Arc, Mutex, OnceLock};

use super::lock::lock;
use crate::error::{DeviceError, Error, Result};
use crate::plan::{DeviceKind, DeviceLimits, GpuClass};

/// The largest number of bytes bound as one storage buffer. Devices may allow more, but wgpu's bounds checks on Metal
/// count bytes in 32 bits.
const MAX_BINDING_BYTES: u64 = (1 << 31) - 256;

#[derive(Debug)]
pub(super) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) limits: DeviceLimits,
    /// The first error that wgpu reported late: see [`Device::late_error`].
    late_error: Arc<Mutex<Option<Error>>>,
    /// The reason for which the device was lost. wgpu does not report it to error scopes.
    pub(super) lost: Arc<OnceLock<String>>,
}

impl Device {
    /// `class` replaces what the adapter says of the device's kind and class.
    pub(super) fn new(device: wgpu::Device, queue: wgpu::Queue, class: Option<GpuClass>) -> Self {
        let granted = device.limits();
        let info = device.adapter_info();
        let one_size = info.subgroup_min_size == info.subgroup_max_size;
        // In a browser a shader must enable subgroups by a directive that naga does not know.
        let native = info.backend != wgpu::Backend::BrowserWebGpu;
        let subgroups = device.features().contains(wgpu::Features::SUBGROUP) && one_size && native;
        let kind = match info.device_type {
            wgpu::DeviceType::Cpu => DeviceKind::Cpu,
            wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
            wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => DeviceKind::Other,
        };
        let (kind, class) = match class {
            Some(class) => (class.kind(), class),
            None => (kind, GpuClass::of(info.vendor, kind, &info.name)),
        };
        let limits = DeviceLimits {
            // Scratch is a buffer of its own and is bound whole, so it must fit a buffer, too.
            max_binding_bytes: granted
                .max_storage_buffer_binding_size
                .min(granted.max_buffer_size)
                .min(MAX_BINDING_BYTES),
            binding_alignment: granted.min_storage_buffer_offset_alignment.into(),
            max_workgroups_per_axis: granted.max_compute_workgroups_per_dimension.into(),
            max_texture_axis: granted.max_texture_dimension_2d.into(),
            subgroup_size: if subgroups { info.subgroup_min_size.into() } else { 0 },
            f16: device.features().contains(wgpu::Features::SHADER_F16),
            kind,
            class,
        };
        Self { device, queue, info, limits, late_error: Arc::default(), lost: Arc::default() }
    }

    /// Returns an error if the device is known to be lost.
    pub(super) fn alive(&self) -> Result<()> {
        match self.lost.get() {
            Some(reason) => Err(Error::Device { cause: DeviceError::Lost, message: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Runs `work`, and returns the first error that wgpu raised during it. No such error reaches a handler of the
    /// caller.
    pub(super) fn checked<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        self.alive()?;
        let filters = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let value = work();
        // Scopes are a stack, so the last is popped first.
        let popped = scopes.into_iter().rev().map(wgpu::ErrorScopeGuard::pop);
        self.alive()?;
        self.first_error(popped.collect()).map_or(Ok(value), Err)
    }

    /// Returns the first error of the popped scopes. Outside the web their futures are ready at once.
    #[cfg(not(target_arch = "wasm32"))]
    #[allow(clippy::unused_self, reason = "on the web it is needed")]
    fn first_error(&self, popped: Vec<impl Future<Output = Option<wgpu::Error>> + 'static>) -> Option<Error> {
        let errors: Vec<_> = popped.into_iter().filter_map(pollster::block_on).collect();
        errors.into_iter().next().map(error)
    }

    /// Keeps the first error of the popped scopes for the next download to report. On the web their futures are ready
    /// later.
    #[cfg(target_arch = "wasm32")]
    fn first_error(&self, popped: Vec<impl Future<Output = Option<wgpu::Error>> + 'static>) -> Option<Error> {
        let late_error = Arc::clone(&self.late_error);
        wasm_bindgen_futures::spawn_local(async move {
            for popped in popped {
                if let Some(error) = popped.await {
                    log::error!("{error}");
                    lock(&late_error).get_or_insert(self::error(error));
                }
            }
        });
        None
    }

    /// Returns and clears the first late error. On the web wgpu reports an error only after the call that caused it has
    /// returned.
    pub(super) fn late_error(&self) -> Result<()> {
        lock(&self.late_error).take().map_or(Ok(()), Err)
    }
}

fn error(error: wgpu::Error) -> Error {
    let cause = match error {
        wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory,
        wgpu::Error::Validation { .. } => DeviceError::Validation,
        wgpu::Error::Internal { .. } => DeviceError::Internal,
    };
    Error::Device { cause, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wgpus_errors_can_be_told_apart() {
        let source = || Box::new(std::fmt::Error);
        let description = String::new;
        for (reported, expected) in [
            (wgpu::Error::OutOfMemory { source: source() }, DeviceError::OutOfMemory),
            (wgpu::Error::Validation { source: source(), description: description() }, DeviceError::Validation),
            (wgpu::Error::Internal { source: source(), description: description() }, DeviceError::Internal),
        ] {
            let Error::Device { cause, .. } = error(reported) else { panic!("not an error of the device") };
            assert_eq!(cause, expected);
        }
    }
}
