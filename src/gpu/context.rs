//! The handle of a device, and the waits for its work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::adapter;
use super::device::Device;
use super::pipeline::{Pipeline, Pipelines};
use super::scratch::{Pool, Resource};
use crate::dtype::Dtype;
use crate::error::{DeviceError, Error, Result};
use crate::kernel::Storage;
use crate::plan::{DeviceLimits, GpuClass, Size, Step};

/// A GPU device and its queue. The handle is cheap to clone, `Send` and `Sync`. Clones share the device and the
/// pipelines compiled on it.
#[derive(Clone)]
pub struct Gpu {
    shared: Arc<Shared>,
    wait_timeout: Duration,
}

struct Shared {
    device: Arc<Device>,
    pipelines: Pipelines,
    scratch: Arc<Pool>,
}

/// The timeout of a wait, unless [`Gpu::with_wait_timeout`] sets another.
const DEFAULT_WAIT_TIMEOUT: Duration = Duration::from_secs(300);

impl Gpu {
    /// Finds an adapter and opens a device on it. Blocks; the web has only [`Gpu::new_async`], which has the details.
    ///
    /// # Errors
    /// Returns [`Error::NoAdapter`] or [`Error::NoDevice`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Result<Self> {
        pollster::block_on(Self::new_async())
    }

    /// Finds an adapter and opens a device on it.
    ///
    /// wgpu's environment variables such as `WGPU_BACKEND`, `WGPU_ADAPTER_NAME` and `WGPU_POWER_PREF` choose the
    /// adapter; an empty variable counts as unset. Without them it is the most powerful one. The device has the features
    /// of [`Gpu::required_features`] and no others. It has WebGPU's default limits, except that buffers, bindings and
    /// textures may be as large as the adapter allows.
    ///
    /// # Errors
    /// Returns [`Error::NoAdapter`], with the message of every backend, or [`Error::NoDevice`].
    pub async fn new_async() -> Result<Self> {
        let adapter = adapter::default().await?;
        let required_limits = Self::required_limits(&adapter);
        let required_features = Self::required_features(&adapter);
        let label = Some("deform");
        let descriptor = wgpu::DeviceDescriptor { label, required_features, required_limits, ..Default::default() };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::NoDevice { adapter: adapter.get_info().name, reason: error.to_string() })?;
        log::debug!("device on {:?}", adapter.get_info());
        let gpu = Self::from_wgpu(device, queue);
        let lost = Arc::clone(&gpu.shared.device.lost);
        gpu.device().set_device_lost_callback(move |_, reason| drop(lost.set(reason)));
        Ok(gpu)
    }

    /// Returns the limits that a caller who makes the device should request: WebGPU's defaults, with buffers, bindings
    /// and textures as large as the adapter allows. The crate works without the larger ones. A caller merges the limits
    /// with its own.
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

    /// Returns the features that a caller who makes the device should request: subgroups and f16 in shaders, and
    /// pipeline caches, if the adapter has them. The crate works without them.
    #[must_use]
    pub fn required_features(adapter: &wgpu::Adapter) -> wgpu::Features {
        let useful = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16 | wgpu::Features::PIPELINE_CACHE;
        adapter.features() & useful
    }

    /// Wraps the caller's device. Installs no handler on it, and submits work only in the methods whose documentation
    /// says so.
    ///
    /// WebGPU's default limits suffice. Larger buffers, bindings and textures and the features `SUBGROUP` and
    /// `SHADER_F16` are used if the device has them. Call this once per device and clone the handle: an operator takes
    /// only the tensors of its own handle's clones.
    ///
    /// `queue` must be the queue of `device`, and every buffer and encoder handed over later must belong to `device`.
    /// wgpu cannot tell; a mixture panics inside wgpu or writes to the wrong place.
    #[must_use]
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self::with_device(Device::new(device, queue, None))
    }

    /// Wraps the caller's device as [`Gpu::from_wgpu`] does, and plans as for a GPU of a class: for a GPU whose class deform
    /// does not know, or to try the plans for a GPU that is not there. Results do not depend on the class, apart from
    /// rounding.
    #[must_use]
    pub fn from_wgpu_as(device: wgpu::Device, queue: wgpu::Queue, class: GpuClass) -> Self {
        Self::with_device(Device::new(device, queue, Some(class)))
    }

    fn with_device(device: Device) -> Self {
        let device = Arc::new(device);
        let scratch = Arc::new(Pool::new(&device));
        let shared = Shared { device, pipelines: Pipelines::default(), scratch };
        Self { shared: Arc::new(shared), wait_timeout: DEFAULT_WAIT_TIMEOUT }
    }

    /// Sets the timeout of [`Gpu::wait`] and of downloads. The default is 300 s.
    #[must_use]
    pub fn with_wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }

    /// Makes all clones of this handle compile their pipelines through `cache`, which the caller loads from a file and
    /// saves to it. The device must have made the cache. Only the first cache given has an effect.
    ///
    /// # Errors
    /// Returns [`Error::MissingFeature`] if the device lacks `PIPELINE_CACHE`.
    pub fn with_pipeline_cache(self, cache: wgpu::PipelineCache) -> Result<Self> {
        if !self.device().features().contains(wgpu::Features::PIPELINE_CACHE) {
            return Err(Error::MissingFeature { feature: "PIPELINE_CACHE" });
        }
        self.shared.pipelines.set_cache(cache);
        Ok(self)
    }

    /// Reports that the device is lost. Calls that reach the device then return [`DeviceError::Lost`]. Preparing a call
    /// that is prepared and recording a [`Bound`](crate::Bound) do not reach it.
    ///
    /// A program that gave its own device to [`Gpu::from_wgpu`] calls this in its device-lost callback, because wgpu
    /// has one callback and tells nobody else. [`Gpu::new`] sets the callback itself.
    pub fn mark_lost(&self, reason: impl Into<String>) {
        drop(self.shared.device.lost.set(reason.into()));
    }

    /// Returns the adapters that wgpu finds on this machine. Blocks.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn adapters() -> Vec<wgpu::Adapter> {
        pollster::block_on(adapter::all())
    }

    /// Returns the device.
    #[must_use]
    pub fn device(&self) -> &wgpu::Device {
        &self.shared.device.device
    }

    /// Returns the queue.
    #[must_use]
    pub fn queue(&self) -> &wgpu::Queue {
        &self.shared.device.queue
    }

    /// Returns the adapter's name, type, driver and backend.
    #[must_use]
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.shared.device.info
    }

    /// Returns the names of adapter, backend and driver, and the driver's version.
    /// [`Tuning`](crate::ops::deform_conv2d::Tuning) stores its measurements under this text.
    #[must_use]
    pub fn identity(&self) -> String {
        let info = self.info();
        format!("{} ({:?}, {} {})", info.name, info.backend, info.driver, info.driver_info)
    }

    /// Returns the properties of the device that plans depend on.
    #[must_use]
    pub fn limits(&self) -> &DeviceLimits {
        &self.shared.device.limits
    }

    /// Blocks until everything submitted so far is done. Not available on the web, where nothing may block.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`], or [`Error::Device`] if the device is lost.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self) -> Result<()> {
        self.wait_for(None)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn wait_for(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let poll = wgpu::PollType::Wait { submission_index, timeout: Some(self.wait_timeout) };
        // A lost device counts as done, and wgpu may call back during the wait.
        self.device().poll(poll).map_err(|error| wait_error(error, self.wait_timeout))?;
        self.shared.device.alive()
    }

    /// Waits for a submission on a thread of its own.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) async fn wait_for_async(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        let gpu = self.clone();
        let (sender, waited) = futures_intrusive::channel::shared::oneshot_channel();
        // If the future was dropped, the receiver is gone and nobody needs the answer.
        let wait = move || drop(sender.send(gpu.wait_for(Some(submission))));
        let spawned = std::thread::Builder::new().name("deform download".into()).spawn(wait);
        spawned.map_err(|error| Error::Device {
            cause: DeviceError::Internal,
            message: format!("no thread to wait on: {error}"),
        })?;
        waited.receive().await.unwrap_or_else(|| Err(self.no_answer("the wait ended without a result")))
    }

    /// Does nothing, because a browser polls by itself.
    #[cfg(target_arch = "wasm32")]
    #[allow(clippy::unused_async, reason = "on other platforms this function waits")]
    pub(super) async fn wait_for_async(&self, _: wgpu::SubmissionIndex) -> Result<()> {
        Ok(())
    }

    /// Returns how this device stores operands of `dtype`.
    pub(crate) fn storage(&self, dtype: Dtype) -> Storage {
        match dtype {
            Dtype::F32 => Storage::F32,
            Dtype::F16 if self.limits().f16 => Storage::F16,
            Dtype::F16 => Storage::PackedF16,
        }
    }

    /// Makes the error of a download that failed: the loss of the device, if that is known.
    pub(super) fn no_answer(&self, reason: &str) -> Error {
        let message = format!("{reason}; the device may be lost");
        self.shared.device.alive().err().unwrap_or(Error::Device { cause: DeviceError::Internal, message })
    }

    /// See [`Device::late_error`].
    pub(super) fn late_error(&self) -> Result<()> {
        self.shared.device.late_error()
    }

    /// Returns the compiled kernel of a step.
    pub(super) fn pipeline(&self, step: &Step) -> Result<Arc<Pipeline>> {
        self.pipelines().get(&self.shared.device, step)
    }

    pub(super) fn pipelines(&self) -> &Pipelines {
        &self.shared.pipelines
    }

    /// Returns the scratch of all calls on the device.
    pub(super) fn scratch(&self) -> &Arc<Pool> {
        &self.shared.scratch
    }

    /// Returns a pool of scratch that is no one else's.
    pub(super) fn own_scratch(&self) -> Arc<Pool> {
        Arc::new(Pool::new(&self.shared.device))
    }

    /// Makes a texture or buffer that is no one else's.
    pub(super) fn resource(&self, name: &'static str, size: Size) -> Result<Resource> {
        Resource::new(&self.shared.device, name, size)
    }

    /// Records into a new encoder and submits it.
    pub(crate) fn submit<T>(&self, record: impl FnOnce(&mut wgpu::CommandEncoder) -> Result<T>) -> Result<T> {
        let label = Some("deform");
        let mut encoder = self.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let recorded = record(&mut encoder)?;
        self.checked(|| self.queue().submit([encoder.finish()]))?;
        Ok(recorded)
    }

    /// See [`Device::checked`].
    pub(super) fn checked<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        self.shared.device.checked(work)
    }
}

impl fmt::Debug for Gpu {
    /// Writes one line: [`Gpu::identity`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({})", self.identity())
    }
}

impl PartialEq for Gpu {
    /// Returns whether one handle is a clone of the other. wgpu's own comparison of devices does not serve: it compares
    /// their numbers within an instance, and so takes the first devices of two instances for the same.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn wait_error(error: wgpu::PollError, timeout: Duration) -> Error {
    match error {
        wgpu::PollError::Timeout => Error::Timeout { timeout },
        other => Error::Device { cause: DeviceError::Internal, message: other.to_string() },
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// The test calls the conversion, because whether a wait on a device times out is a race.
    #[test]
    fn a_wait_that_runs_out_is_a_timeout_and_nothing_else_is() {
        let timeout = Duration::from_millis(2_500);
        assert_eq!(wait_error(wgpu::PollError::Timeout, timeout), Error::Timeout { timeout });
        assert!(matches!(wait_error(wgpu::PollError::WrongSubmissionIndex(2, 1), timeout), Error::Device { .. }));
    }
}
