//! The textures of plans: scratch that one step writes and another reads, as `rgba32float` texels.

use super::Gpu;
use crate::{Error, Result, plan};

pub(super) const TEXTURE_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// A texture on the device.
#[derive(Debug, Clone)]
pub(super) struct Texture {
    texture: wgpu::Texture,
    pub(super) view: wgpu::TextureView,
}

impl Texture {
    fn new(gpu: &Gpu, needed: &plan::Texture) -> Result<Self> {
        let &plan::Texture { name, width, height } = needed;
        let limit = u64::from(gpu.limits().max_texture_axis);
        if let Some(got) = [width, height].into_iter().map(u64::from).find(|&axis| axis > limit) {
            return Err(Error::TooLarge { what: format!("an axis of the texture {name}"), got, limit });
        }
        let descriptor = wgpu::TextureDescriptor {
            label: Some(name),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: TEXTURE_FORMAT,
            usage: wgpu::TextureUsages::STORAGE_BINDING,
            view_formats: &[],
        };
        gpu.checked(|| {
            let texture = gpu.device().create_texture(&descriptor);
            let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
            Self { texture, view }
        })
    }

    fn size(&self) -> [u32; 2] {
        [self.texture.width(), self.texture.height()]
    }

    fn holds(&self, [width, height]: [u32; 2]) -> bool {
        self.texture.width() >= width && self.texture.height() >= height
    }
}

/// Textures by name, none of which could serve for another: kernels address texels, so a larger one serves as well.
#[derive(Debug, Clone, Default)]
pub(super) struct Textures(Vec<(&'static str, Texture)>);

impl Textures {
    /// Sees to it that there is one for each of `needed`.
    pub(super) fn provide(&mut self, gpu: &Gpu, needed: &[plan::Texture]) -> Result<()> {
        for needed in needed {
            if self.get(needed).is_none() {
                let texture = Texture::new(gpu, needed)?;
                self.0.retain(|(name, kept)| *name != needed.name || !texture.holds(kept.size()));
                self.0.push((needed.name, texture));
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, needed: &plan::Texture) -> Option<&Texture> {
        let size = [needed.width, needed.height];
        self.0.iter().find(|(name, texture)| *name == needed.name && texture.holds(size)).map(|(_, texture)| texture)
    }
}
