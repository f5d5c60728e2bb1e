//! A caller's texture as an operand.

use std::fmt;

use super::context::Gpu;
use super::scratch::Resource;
use crate::error::{DeviceError, Error, Result};
use crate::kernel::TexelFormat;

/// A rectangle of one mip level of a caller's two-dimensional texture. The texture must belong to the operator's
/// device; wgpu cannot tell.
#[derive(Clone, Copy)]
pub struct TextureRegion<'a> {
    /// The texture. It has one layer, and one sample per texel.
    pub texture: &'a wgpu::Texture,
    /// The mip level; 0 has the texture's full size.
    pub mip_level: u32,
    /// The first texel, `[row, column]`.
    pub origin: [u32; 2],
    /// Rows and columns.
    pub size: [u32; 2],
    /// Another format to view the texels in, one of the texture's `view_formats`: for example `rgba8unorm-srgb` for
    /// `rgba8unorm`.
    pub view_format: Option<wgpu::TextureFormat>,
}

/// The texels of a texture that a call reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Texels {
    pub(crate) origin: [u32; 2],
    pub(crate) size: [u32; 2],
    /// The format, if the call writes them.
    pub(crate) format: Option<TexelFormat>,
}

impl fmt::Display for Texels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([row, column], [rows, columns]) = (self.origin, self.size);
        write!(f, "{rows} rows and {columns} columns from row {row}, column {column}")?;
        self.format.map_or(Ok(()), |format| write!(f, ", in {}", format!("{format:?}").to_lowercase()))
    }
}

/// A texture made ready to bind.
#[derive(Debug)]
pub(crate) struct BoundTexture {
    pub(super) view: Resource,
    pub(crate) texels: Texels,
}

impl fmt::Debug for TextureRegion<'_> {
    /// Writes one line: the format, the level and the rectangle.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mip_level, origin, size, .. } = *self;
        let texels = Texels { origin, size, format: None };
        write!(f, "TextureRegion({}, level {mip_level}, {texels})", format_name(self.format()))
    }
}

impl<'a> TextureRegion<'a> {
    /// Returns the region of the whole first mip level.
    #[must_use]
    pub fn whole(texture: &'a wgpu::Texture) -> Self {
        Self { texture, mip_level: 0, origin: [0, 0], size: [texture.height(), texture.width()], view_format: None }
    }

    /// Prepares the region for reading, in any format that shaders read as floating-point numbers.
    pub(crate) fn to_read(self, gpu: &Gpu) -> Result<BoundTexture> {
        self.bound(gpu, wgpu::TextureUsages::TEXTURE_BINDING, None)
    }

    /// Prepares the region for writing.
    pub(crate) fn to_write(self, gpu: &Gpu) -> Result<BoundTexture> {
        let format = match self.format() {
            wgpu::TextureFormat::Rgba8Unorm => TexelFormat::Rgba8Unorm,
            wgpu::TextureFormat::Rgba16Float => TexelFormat::Rgba16Float,
            wgpu::TextureFormat::Rgba32Float => TexelFormat::Rgba32Float,
            other => {
                let other = format_name(other);
                return Err(unsuitable(format!(
                    "its format is {other}, expected rgba8unorm, rgba16float or rgba32float"
                )));
            }
        };
        self.bound(gpu, wgpu::TextureUsages::STORAGE_BINDING, Some(format))
    }

    fn format(&self) -> wgpu::TextureFormat {
        self.view_format.unwrap_or(self.texture.format())
    }

    fn bound(self, gpu: &Gpu, usage: wgpu::TextureUsages, format: Option<TexelFormat>) -> Result<BoundTexture> {
        let texture = self.texture;
        let layers = texture.depth_or_array_layers();
        if texture.dimension() != wgpu::TextureDimension::D2 || layers != 1 || texture.sample_count() != 1 {
            return Err(unsuitable("it must be two-dimensional, with one layer and one sample per texel".to_owned()));
        }
        if !texture.usage().contains(usage) {
            let [got, wanted] = [texture.usage(), usage].map(|usage| flag_names(usage.iter_names()));
            return Err(unsuitable(format!("its usage is {got}, expected {wanted} among others: create it with that")));
        }
        if !matches!(self.format().sample_type(None, None), Some(wgpu::TextureSampleType::Float { .. })) {
            let format = format_name(self.format());
            let expected = "expected a format that shaders read as floating-point numbers, such as rgba8unorm";
            return Err(unsuitable(format!("its format is {format}, {expected}")));
        }
        if self.mip_level >= texture.mip_level_count() {
            let levels = texture.mip_level_count();
            return Err(unsuitable(format!(
                "it has {levels} mip levels, and the region names level {}",
                self.mip_level
            )));
        }
        let level = [texture.height(), texture.width()].map(|size| (size >> self.mip_level).max(1));
        for axis in 0..2 {
            let end = u64::from(self.origin[axis]) + u64::from(self.size[axis]);
            if end > u64::from(level[axis]) {
                let (origin, size) = (self.origin, self.size);
                let reason =
                    format!("{size:?} texels from {origin:?} do not fit into the level's {level:?} (rows, columns)");
                return Err(unsuitable(reason));
            }
        }
        let descriptor = wgpu::TextureViewDescriptor {
            label: Some("deform texture"),
            format: self.view_format,
            usage: Some(usage),
            base_mip_level: self.mip_level,
            mip_level_count: Some(1),
            ..Default::default()
        };
        let texels = Texels { origin: self.origin, size: self.size, format };
        let view = gpu.checked(|| texture.create_view(&descriptor)).map_err(|error| match error {
            // Everything else is checked above, but a texture does not tell the formats of its views.
            Error::Device { cause: DeviceError::Validation, .. } => {
                unsuitable(format!("its view_formats lack {}: create it with that", format_name(self.format())))
            }
            error => error,
        })?;
        Ok(BoundTexture { view: Resource::Texture(view), texels })
    }
}

/// Returns the name of a format in WebGPU. A block format has the name of its family.
fn format_name(format: wgpu::TextureFormat) -> String {
    let name = format!("{format:?}").to_lowercase().replace("srgb", "-srgb").replace("plusstencil", "plus-stencil");
    name.split(' ').next().unwrap_or_default().to_owned()
}

/// Returns the names of flags in a row.
pub(super) fn flag_names<T>(names: impl Iterator<Item = (&'static str, T)>) -> String {
    let names: Vec<_> = names.map(|(name, _)| name).collect();
    if names.is_empty() { "empty".to_owned() } else { names.join(" | ") }
}

pub(super) fn unsuitable(reason: String) -> Error {
    Error::UnsuitableTexture { reason }
}
