//! The compiled pipelines of a device. Each is compiled once, when a plan first needs it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use super::device::Device;
use super::lock::lock;
use crate::error::{DeviceError, Error, Result};
use crate::kernel::{Access, Kernel, Specialization, TexelFormat};
use crate::plan::Step;

/// A compiled kernel, and the layout of its bind groups.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// A kernel's name, and the choice of one of its texts.
type Key = (&'static str, Specialization);

/// The place of a kernel that may not be compiled yet. Its lock is held while the kernel is compiled.
type Cell = Arc<Mutex<Option<Arc<Pipeline>>>>;

/// The kernels compiled so far, and the caller's cache if there is one.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    cells: Mutex<HashMap<Key, Cell>>,
    cache: OnceLock<wgpu::PipelineCache>,
}

impl Pipelines {
    pub(super) fn set_cache(&self, cache: wgpu::PipelineCache) {
        self.cache.get_or_init(|| cache);
    }

    /// Returns the step's pipeline, and compiles it at the first call.
    pub(super) fn get(&self, device: &Device, step: &Step) -> Result<Arc<Pipeline>> {
        let key = (step.kernel.name, step.specialization);
        self.get_or(key, || compile(device, step, self.cache.get()))
    }

    /// Returns the kernel's pipeline, and makes it by `compile` at the first call. A thread that needs the same kernel
    /// meanwhile waits, so no kernel is compiled twice. No other thread waits.
    pub(super) fn get_or(&self, key: Key, compile: impl FnOnce() -> Result<Pipeline>) -> Result<Arc<Pipeline>> {
        let cell = Arc::clone(lock(&self.cells).entry(key).or_default());
        let mut compiled = lock(&cell);
        if let Some(pipeline) = &*compiled {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = Arc::new(compile()?);
        *compiled = Some(Arc::clone(&pipeline));
        Ok(pipeline)
    }
}

fn compile(device: &Device, step: &Step, cache: Option<&wgpu::PipelineCache>) -> Result<Pipeline> {
    let kernel: &Kernel = step.kernel;
    let label = Some(kernel.name);
    let entries: Vec<_> = std::iter::once(buffer(wgpu::BufferBindingType::Uniform))
        .chain(kernel.bindings.iter().map(|binding| binding_type(binding.access)))
        .zip(0..)
        .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty,
            count: None,
        })
        .collect();
    check_bindings(device, kernel)?;
    let failed = |cause, reason: &dyn fmt::Display| Error::Device {
        cause,
        message: format!("compiling {}: {reason}", kernel.name),
    };
    let text = kernel.expand(step.specialization).map_err(|error| failed(DeviceError::Internal, &error))?.text;
    let compiled = device.checked(|| {
        let device = &device.device;
        let source = wgpu::ShaderSource::Wgsl(text.into());
        let module = create_module(device, wgpu::ShaderModuleDescriptor { label, source });
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // No kernel reads workgroup memory before it writes it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache,
        });
        Pipeline { pipeline, layout }
    });
    compiled.map_err(|error| match error {
        Error::Device { cause, message } => failed(cause, &message),
        other => other,
    })
}

/// Checks that the device has as many bindings as the kernel, which WebGPU's default limits allow.
fn check_bindings(device: &Device, kernel: &Kernel) -> Result<()> {
    let limits = device.device.limits();
    let count = |is: fn(&Access) -> bool| kernel.bindings.iter().filter(|binding| is(&binding.access)).count() as u64;
    let buffers = count(|access| access.is_buffer());
    let sampled = count(|access| matches!(access, Access::SampledTexture));
    let all = kernel.bindings.len() as u64;
    for (what, got, limit) in [
        ("buffers", buffers, limits.max_storage_buffers_per_shader_stage),
        ("storage textures", all - buffers - sampled, limits.max_storage_textures_per_shader_stage),
        ("sampled textures", sampled, limits.max_sampled_textures_per_shader_stage),
        ("invocations in a workgroup", kernel.workgroup_size, limits.max_compute_invocations_per_workgroup),
    ] {
        if got > u64::from(limit) {
            let what = format!("the number of {what} of {}", kernel.name);
            return Err(Error::TooLarge { what, got, limit: limit.into() });
        }
    }
    Ok(())
}

fn binding_type(access: Access) -> wgpu::BindingType {
    let view_dimension = wgpu::TextureViewDimension::D2;
    let texture = |access, format| {
        let format = match format {
            TexelFormat::Rgba8Unorm => wgpu::TextureFormat::Rgba8Unorm,
            TexelFormat::Rgba16Float => wgpu::TextureFormat::Rgba16Float,
            TexelFormat::Rgba32Float => wgpu::TextureFormat::Rgba32Float,
        };
        wgpu::BindingType::StorageTexture { access, format, view_dimension }
    };
    match access {
        Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
        Access::ReadWrite => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
        Access::TextureRead(format) => texture(wgpu::StorageTextureAccess::ReadOnly, format),
        Access::TextureWrite(format) => texture(wgpu::StorageTextureAccess::WriteOnly, format),
        Access::SampledTexture => wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: false },
            view_dimension,
            multisampled: false,
        },
    }
}

fn buffer(ty: wgpu::BufferBindingType) -> wgpu::BindingType {
    wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None }
}

/// Leaves out two of the run-time checks that wgpu adds to shaders. Bounds checks stay. This is the crate's only unsafe
/// code.
#[allow(unsafe_code)]
fn create_module(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor<'_>) -> wgpu::ShaderModule {
    // Under this cfg the shaders come from a folder, and the reasons below do not hold for them.
    let from_folder = cfg!(deform_shader_folder);
    let checks = wgpu::ShaderRuntimeChecks {
        // This check counts the iterations of every loop. It keeps drivers from unrolling loops, and makes inner loops
        // several times slower on a CPU driver.
        force_loop_bounding: from_folder,
        // This check guards integer divisions against a divisor of 0 and against overflow.
        int_div_checks: from_folder,
        ..wgpu::ShaderRuntimeChecks::checked()
    };
    // SAFETY: every loop of every kernel ends, because each iteration adds at least 1 to a u32 that stays below a fixed
    // bound and does not wrap. Every integer divisor is at least 1: it is a constant, a parameter that the plan sets to
    // at least 1, or computed from such. So no division is by 0 or by −1.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}
