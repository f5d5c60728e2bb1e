//! The handle of a device, which is found or given, and the waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::device::Device;
use super::pipeline::{Pipeline, Pipelines};
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::kernel::Storage;
use crate::plan::{DeviceLimits, Step};

/// A GPU device and its queue. A cheap handle, `Send` and `Sync`; clones share the device and the pipelines compiled on it.
#[derive(Clone, Debug)]
pub struct Gpu {
    shared: Arc<Shared>,
    wait_timeout: Duration,
}

#[derive(Debug)]
struct Shared {
    device: Device,
    pipelines: Pipelines,
}

/// How long a wait lasts before it gives up, unless [`Gpu::with_wait_timeout`] says otherwise.
const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(300);

impl Gpu {
    /// Finds an adapter and opens a device on it; blocks. See [`Gpu::new_async`], which the web has alone.
    ///
    /// # Errors
    /// [`Error::NoAdapter`], [`Error::NoDevice`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Result<Self> {
        pollster::block_on(Self::new_async())
    }

    /// Finds an adapter and opens a device on it.
    ///
    /// wgpu's environment variables are respected: `WGPU_BACKEND`, `WGPU_ADAPTER_NAME`, `WGPU_POWER_PREF` and the rest; without
    /// them the most powerful adapter is taken. The device has subgroups and f16 where the adapter has them and no other feature, and
    /// WebGPU's default limits, except that buffers, bindings and textures may be as large as the adapter allows.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] with what every backend said; [`Error::NoDevice`].
    pub async fn new_async() -> Result<Self> {
        let adapter = Self::default_adapter().await?;
        let required_limits = Self::required_limits(&adapter);
        let required_features = Self::required_features(&adapter);
        let label = Some("deform");
        let descriptor = wgpu::DeviceDescriptor { label, required_features, required_limits, ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::NoDevice { adapter: adapter.get_info().name, reason: error.to_string() })?;
        log::debug!("device on {:?}", adapter.get_info());
        Ok(Self::from_wgpu(device, queue))
    }

    /// The limits to ask `adapter`'s device for, for a caller who makes it: WebGPU's defaults, and buffers, bindings and textures as large as the
    /// adapter allows. None of the larger ones is needed; a caller merges them with its own.
    #[must_use]
    pub fn required_limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
        let able = adapter.limits();
        wgpu::Limits {
            max_buffer_size: able.max_buffer_size,
            max_storage_buffer_binding_size: able.max_storage_buffer_binding_size,
            max_texture_dimension_2d: able.max_texture_dimension_2d,
            ..wgpu::Limits::default()
        }
    }

    /// The features to ask for: subgroups and f16 in shaders, where the adapter has them. None is needed.
    #[must_use]
    pub fn required_features(adapter: &wgpu::Adapter) -> wgpu::Features {
        adapter.features() & (wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16)
    }

    async fn default_adapter() -> Result<wgpu::Adapter> {
        let instance = instance();
        // wgpu has a function for this variable, which panics where the name fits no adapter.
        if let Ok(name) = std::env::var("WGPU_ADAPTER_NAME") {
            let adapters = instance.enumerate_adapters(backends()).await;
            let names: Vec<_> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
            let wanted =
                |adapter: &wgpu::Adapter| adapter.get_info().name.to_lowercase().contains(&name.to_lowercase());
            let reason = format!("WGPU_ADAPTER_NAME is {name:?}, the adapters are {names:?}");
            return adapters.into_iter().find(wanted).ok_or(Error::NoAdapter { reason });
        }
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::from_env().unwrap_or(wgpu::PowerPreference::HighPerformance),
            ..Default::default()
        };
        instance.request_adapter(&options).await.map_err(|error| Error::NoAdapter { reason: error.to_string() })
    }

    /// Takes the caller's device. No handler is installed on it, and nothing is submitted but by the verbs that say so.
    ///
    /// Every limit from WebGPU's defaults upwards will do; larger buffers, bindings and textures, and the features `SUBGROUP` and `SHADER_F16`, are
    /// used where the device grants them. Call it
    /// once for a device and clone the handle: operators take only tensors of their own handle's clones.
    ///
    /// `queue` must be `device`'s own, as any buffer or encoder handed over later must be of `device`: wgpu has no way to ask, and
    /// mixing them panics inside wgpu, or writes elsewhere.
    #[must_use]
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let shared = Shared { device: Device::new(device, queue), pipelines: Pipelines::default() };
        Self { shared: Arc::new(shared), wait_timeout: DEFAULT_WAIT_TIMEOUT }
    }

    /// This handle with another limit to how long [`Gpu::wait`] and downloads wait; 300 s unless set.
    #[must_use]
    pub fn with_wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }

    /// This handle, whose device compiles through `cache` from now on: a `wgpu::PipelineCache` that the caller loads from and saves
    /// to a file. The first one given counts, for every clone of the handle. The device must have made it.
    #[must_use]
    pub fn with_pipeline_cache(self, cache: wgpu::PipelineCache) -> Self {
        self.shared.pipelines.set_cache(cache);
        self
    }

    /// The adapters that wgpu sees on this machine; blocks.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn adapters() -> Vec<wgpu::Adapter> {
        pollster::block_on(instance().enumerate_adapters(backends()))
    }

    /// The device.
    #[must_use]
    pub fn device(&self) -> &wgpu::Device {
        &self.shared.device.device
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &wgpu::Queue {
        &self.shared.device.queue
    }

    /// The adapter's name, type, driver and backend.
    #[must_use]
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.shared.device.info
    }

    /// Adapter, backend, driver and its version: what measurements on this device are remembered by.
    #[must_use]
    pub fn identity(&self) -> String {
        let info = self.info();
        format!("{} ({:?}, {} {})", info.name, info.backend, info.driver, info.driver_info)
    }

    /// What plans for this device go by.
    #[must_use]
    pub fn limits(&self) -> &DeviceLimits {
        &self.shared.device.limits
    }

    /// Blocks until everything submitted so far is done. Not on the web, where nothing may block.
    ///
    /// # Errors
    /// [`Error::Timeout`]. A lost device counts as done, as it does for wgpu; the next download says so.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self) -> Result<()> {
        self.wait_for(None)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn wait_for(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let poll = wgpu::PollType::Wait { submission_index, timeout: Some(self.wait_timeout) };
        self.device().poll(poll).map(|_| ()).map_err(|error| wait_error(error, self.wait_timeout))
    }

    /// The same on a thread of its own.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) async fn wait_for_async(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        let gpu = self.clone();
        let (sender, waited) = futures_intrusive::channel::shared::oneshot_channel();
        // The receiver is gone where the future was dropped; then nobody wants the answer.
        let wait = move || drop(sender.send(gpu.wait_for(Some(submission))));
        let spawned = std::thread::Builder::new().name("deform download".into()).spawn(wait);
        spawned.map_err(|error| Error::Device { message: format!("no thread to wait on: {error}") })?;
        waited.receive().await.unwrap_or_else(|| Err(lost_callback()))
    }

    /// The browser polls by itself.
    #[cfg(target_arch = "wasm32")]
    #[allow(clippy::unused_async, reason = "what other platforms wait in")]
    pub(super) async fn wait_for_async(&self, _: wgpu::SubmissionIndex) -> Result<()> {
        Ok(())
    }

    /// How this device stores operands of `dtype`.
    pub(crate) fn storage(&self, dtype: Dtype) -> Storage {
        match dtype {
            Dtype::F32 => Storage::F32,
            Dtype::F16 if self.limits().f16 => Storage::F16,
            Dtype::F16 => Storage::PackedF16,
        }
    }

    /// See [`Device::late_error`].
    pub(super) fn late_error(&self) -> Result<()> {
        self.shared.device.late_error()
    }

    /// The compiled kernel of a step.
    pub(super) fn pipeline(&self, step: &Step) -> Result<Arc<Pipeline>> {
        self.shared.pipelines.get(&self.shared.device, step)
    }

    /// See [`Device::checked`].
    pub(super) fn checked<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        self.shared.device.checked(work)
    }
}

impl PartialEq for Gpu {
    /// Whether one is a clone of the other. wgpu's own comparison of devices is no help: it counts devices within an instance, and
    /// takes the first ones of two instances for the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn wait_error(error: wgpu::PollError, timeout: Duration) -> Error {
    match error {
        wgpu::PollError::Timeout => Error::Timeout { timeout },
        other => Error::Device { message: other.to_string() },
    }
}

/// The error of a download whose callback never came.
pub(super) fn lost_callback() -> Error {
    Error::Device { message: "the device was lost before the download finished".into() }
}

fn backends() -> wgpu::Backends {
    wgpu::Backends::from_env().unwrap_or(wgpu::Backends::all())
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// Here and not on a device, where whether a wait is too short is a race.
    #[test]
    fn a_wait_that_runs_out_is_a_timeout_and_nothing_else_is() {
        let timeout = Duration::from_millis(2_500);
        assert_eq!(wait_error(wgpu::PollError::Timeout, timeout), Error::Timeout { timeout });
        assert!(matches!(wait_error(wgpu::PollError::WrongSubmissionIndex(2, 1), timeout), Error::Device { .. }));
    }
}
