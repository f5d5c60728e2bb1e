//! The device of `deform run` and `deform time`, and other devices of the same adapter.

use anyhow::{Context, Result};
use clap::Args;
use deform::{Gpu, wgpu};

/// The choice of the device.
#[derive(Args)]
pub(crate) struct Device {
    /// Compute on a device with WebGPU's default limits and no features, such as a host may have opened for itself
    #[arg(long)]
    webgpu_defaults: bool,
}

impl Device {
    /// Opens the device.
    pub(crate) fn open(&self) -> Result<Gpu> {
        let gpu = Gpu::new()?;
        if !self.webgpu_defaults {
            return Ok(gpu);
        }
        open_again(&adapter_of(&gpu)?, &wgpu::DeviceDescriptor::default())
    }
}

/// Returns a device's adapter. An adapter gives one device only, so this one is asked for anew.
pub(crate) fn adapter_of(gpu: &Gpu) -> Result<wgpu::Adapter> {
    let same = |adapter: &wgpu::Adapter| adapter.get_info() == *gpu.info();
    Gpu::adapters().into_iter().find(same).context("the adapter is gone")
}

/// Opens another device.
pub(crate) fn open_again(adapter: &wgpu::Adapter, descriptor: &wgpu::DeviceDescriptor<'_>) -> Result<Gpu> {
    let (device, queue) = pollster::block_on(adapter.request_device(descriptor))?;
    Ok(Gpu::from_wgpu(device, queue))
}
