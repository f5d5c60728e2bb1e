//! Scratch memory: the textures and buffers, other than the workspace, that a plan's steps write and later steps read.

use super::context::Gpu;
use crate::error::{Error, Result};
use crate::plan::{self, Size};

const TEXTURE_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// A texture or buffer on the device.
#[derive(Debug, Clone)]
pub(super) enum Resource {
    Texture(wgpu::TextureView),
    Buffer(wgpu::Buffer),
}

fn create(gpu: &Gpu, needed: &plan::Scratch) -> Result<Resource> {
    let label = Some(needed.name);
    match needed.size {
        Size::Texels([width, height]) => {
            let limit = gpu.limits().max_texture_axis;
            let axis = |got: u64| match u32::try_from(got) {
                Ok(axis) if got <= limit => Ok(axis),
                _ => Err(Error::TooLarge { what: format!("an axis of the texture {}", needed.name), got, limit }),
            };
            let [width, height] = [axis(width)?, axis(height)?];
            let descriptor = wgpu::TextureDescriptor {
                label,
                size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: TEXTURE_FORMAT,
                usage: wgpu::TextureUsages::STORAGE_BINDING,
                view_formats: &[],
            };
            gpu.checked(|| Resource::Texture(gpu.device().create_texture(&descriptor).create_view(&Default::default())))
        }
        Size::Bytes(size) => {
            let limit = gpu.device().limits().max_buffer_size;
            if size > limit {
                return Err(Error::BufferTooLarge { bytes: size, limit });
            }
            let usage = wgpu::BufferUsages::STORAGE;
            let descriptor = wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false };
            gpu.checked(|| Resource::Buffer(gpu.device().create_buffer(&descriptor)))
        }
    }
}

/// Returns whether a resource of size `has` serves where `needed` is needed. A larger one does, because kernels address
/// texels and bytes.
fn serves(has: Size, needed: Size) -> bool {
    match (has, needed) {
        (Size::Texels([width, height]), Size::Texels(needed)) => width >= needed[0] && height >= needed[1],
        (Size::Bytes(has), Size::Bytes(needed)) => has >= needed,
        _ => false,
    }
}

/// Scratch by name. None of it could serve in the place of another.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool(Vec<(plan::Scratch, Resource)>);

impl Pool {
    /// Allocates what is missing of `needed`.
    pub(super) fn provide(&mut self, gpu: &Gpu, needed: &[plan::Scratch]) -> Result<()> {
        for needed in needed {
            if self.get(needed).is_none() {
                let resource = create(gpu, needed)?;
                self.0.retain(|(kept, _)| kept.name != needed.name || !serves(needed.size, kept.size));
                self.0.push((*needed, resource));
            }
        }
        Ok(())
    }

    /// Frees what serves none of `needed`.
    pub(super) fn retain<'a>(&mut self, needed: impl Iterator<Item = &'a plan::Scratch> + Clone) {
        let wanted = |kept: &plan::Scratch| {
            needed.clone().any(|needed| kept.name == needed.name && serves(kept.size, needed.size))
        };
        self.0.retain(|(kept, _)| wanted(kept));
    }

    pub(super) fn get(&self, needed: &plan::Scratch) -> Option<&Resource> {
        let mut found = self.0.iter().filter(|(kept, _)| kept.name == needed.name && serves(kept.size, needed.size));
        found.next().map(|(_, resource)| resource)
    }
}
