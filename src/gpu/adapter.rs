//! The choice of an adapter, by wgpu's environment variables.

use crate::error::{Error, Result};

/// The names of backends in `WGPU_BACKEND`.
const BACKENDS: [&str; 9] = ["vulkan", "vk", "metal", "mtl", "dx12", "d3d12", "gl", "gles", "opengl"];

/// Returns a variable. An empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn backends() -> Result<wgpu::Backends> {
    let Some(names) = variable("WGPU_BACKEND") else { return Ok(wgpu::Backends::all()) };
    let unknown = |name: &&str| !BACKENDS.contains(&name.trim().to_lowercase().as_str());
    if let Some(name) = names.split(',').find(unknown) {
        let reason = format!("WGPU_BACKEND names {name:?}, expected vulkan, metal, dx12 or gl");
        return Err(Error::NoAdapter { reason });
    }
    Ok(wgpu::Backends::from_comma_list(&names))
}

fn instance(backends: wgpu::Backends) -> wgpu::Instance {
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    wgpu::Instance::new(wgpu::InstanceDescriptor { backends, ..descriptor })
}

/// Returns all adapters of the backends that the environment allows, or of all if it names none that is known.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn all() -> Vec<wgpu::Adapter> {
    let backends = backends().unwrap_or(wgpu::Backends::all());
    instance(backends).enumerate_adapters(backends).await
}

/// Returns the adapter that the environment names, or else the most powerful one.
pub(super) async fn default() -> Result<wgpu::Adapter> {
    let backends = backends()?;
    let instance = instance(backends);
    // wgpu's own function for this variable panics if the name fits no adapter.
    if let Some(name) = variable("WGPU_ADAPTER_NAME") {
        let adapters = instance.enumerate_adapters(backends).await;
        let names: Vec<_> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
        let wanted = |adapter: &wgpu::Adapter| adapter.get_info().name.to_lowercase().contains(&name.to_lowercase());
        let reason = format!("WGPU_ADAPTER_NAME is {name:?}, the adapters are {names:?}");
        return adapters.into_iter().find(wanted).ok_or(Error::NoAdapter { reason });
    }
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::from_env().unwrap_or(wgpu::PowerPreference::HighPerformance),
        ..Default::default()
    };
    let found = instance.request_adapter(&options).await;
    found.map_err(|error| Error::NoAdapter { reason: format!("{error}{}", advice()) })
}

/// Returns what a user without a driver can do.
fn advice() -> &'static str {
    if cfg!(target_os = "linux") {
        ". Mesa's software driver needs no GPU: on Debian and Ubuntu install mesa-vulkan-drivers and libvulkan1"
    } else {
        ""
    }
}
