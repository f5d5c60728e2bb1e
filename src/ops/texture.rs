//! Reads a rectangle of a texture into a tensor, and writes a tensor into one, on the device. So an image filter can
//! run inside a frame, and no data passes through the host.
//!
//! ```text
//! tensor[0, c, y, x] = texel(origin_y + y, origin_x + x)[c]                    c = r, g, b, a, as many as the tensor has channels
//! ```

use std::sync::Arc;

use super::checks::check_shape;
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::{BoundTexture, Call, Engine, Gpu, Prepared, Recorder, Tensor, TextureRegion};
use crate::kernel::texture::{load, region, store};
use crate::kernel::{Storage, TexelFormat};
use crate::plan::{Plan, Window};

/// The key of a plan: origin, size, channels, the tensor's storage, and the texture's format if the plan writes it.
type Key = ([u32; 2], [u32; 2], usize, Storage, Option<TexelFormat>);

/// The operator on one device. The handle is cheap to clone.
#[derive(Debug, Clone)]
pub struct Textures {
    engine: Arc<Engine<Key>>,
}

impl Textures {
    /// Makes the operator on `gpu`. Compiles nothing yet.
    #[must_use]
    pub fn new(gpu: &Gpu) -> Self {
        Self { engine: Arc::new(Engine::new(gpu)) }
    }

    /// Reads the first `channels` channels (1 to 4) of a region into a new tensor, `[1, channels, height, width]`. Does
    /// not wait.
    ///
    /// The texture needs `TEXTURE_BINDING` usage and a format that shaders read as floating-point numbers, such as
    /// `rgba8unorm`, `rgba8unorm-srgb` (which the read makes linear), `rgba16float` or `rgba32float`.
    ///
    /// # Errors
    /// Returns [`Error::UnsuitableTexture`], [`Error::Axis`] for another number of channels,
    /// [`Error::BindingTooLarge`], or [`Error::Device`].
    pub fn load(&self, region: TextureRegion<'_>, channels: usize, dtype: Dtype) -> Result<Tensor> {
        let [height, width] = region.size.map(|size| size as usize);
        let tensor = Tensor::new(self.engine.gpu(), [1, channels, height, width], dtype)?;
        let (prepared, texture) = self.loading(region, &tensor)?;
        self.engine.submit(&prepared, &loading_call(&texture, &tensor))?;
        Ok(tensor)
    }

    /// Records [`Textures::load`] into the caller's encoder or compute pass, with the caller's tensor.
    ///
    /// # Errors
    /// The same as [`Textures::load`], and [`Error::Rank`] or [`Error::Axis`] if the tensor's shape is not
    /// `[1, channels, height, width]` of the region.
    pub fn record_load<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        region: TextureRegion<'_>,
        tensor: &Tensor,
    ) -> Result<()> {
        let (prepared, texture) = self.loading(region, tensor)?;
        self.engine.record(&prepared, recorder, &loading_call(&texture, tensor), None)
    }

    /// Writes a tensor, `[1, channels, height, width]`, into a region of the same size. Does not wait.
    ///
    /// One channel becomes a grey image, three channels get alpha 1, and four channels are written as they are. The
    /// texture needs `STORAGE_BINDING` usage and one of the formats `rgba8unorm` (which clamps to 0 … 1 and rounds),
    /// `rgba16float` and `rgba32float`.
    ///
    /// # Errors
    /// Returns [`Error::UnsuitableTexture`], [`Error::Rank`] or [`Error::Axis`] for another shape,
    /// [`Error::BindingTooLarge`], or [`Error::Device`].
    pub fn store(&self, tensor: &Tensor, region: TextureRegion<'_>) -> Result<()> {
        let (prepared, texture) = self.storing(tensor, region)?;
        self.engine.submit(&prepared, &storing_call(tensor, &texture))
    }

    /// Records [`Textures::store`] into the caller's encoder or compute pass.
    ///
    /// # Errors
    /// The same as [`Textures::store`].
    pub fn record_store<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        tensor: &Tensor,
        region: TextureRegion<'_>,
    ) -> Result<()> {
        let (prepared, texture) = self.storing(tensor, region)?;
        self.engine.record(&prepared, recorder, &storing_call(tensor, &texture), None)
    }

    fn loading(&self, region: TextureRegion<'_>, tensor: &Tensor) -> Result<(Arc<Prepared>, BoundTexture)> {
        let channels = channels(tensor, region.size, &[1, 2, 3, 4], "1 to 4 channels of a texel")?;
        let texture = region.to_read()?;
        Ok((self.prepared(region, channels, tensor, None)?, texture))
    }

    fn storing(&self, tensor: &Tensor, region: TextureRegion<'_>) -> Result<(Arc<Prepared>, BoundTexture)> {
        let channels = channels(tensor, region.size, &[1, 3, 4], "1, 3 or 4 channels of a picture")?;
        let (texture, format) = region.to_write()?;
        Ok((self.prepared(region, channels, tensor, Some(format))?, texture))
    }

    fn prepared(
        &self,
        region: TextureRegion<'_>,
        channels: usize,
        tensor: &Tensor,
        format: Option<TexelFormat>,
    ) -> Result<Arc<Prepared>> {
        let storage = self.engine.gpu().storage(tensor.dtype());
        let TextureRegion { origin, size, .. } = region;
        let key = (origin, size, channels, storage, format);
        self.engine.prepare(&key, || self.plan(key))
    }

    fn plan(&self, (origin, [height, width], channels, storage, format): Key) -> Result<Plan> {
        let limits = self.engine.gpu().limits();
        let pixels = u64::from(height) * u64::from(width);
        let elements = pixels * channels as u64;
        limits.check_elements("the picture", storage, elements)?;
        if pixels == 0 {
            return Ok(Plan::default());
        }
        let [origin_y, origin_x] = origin;
        let params = region::Params {
            origin_y: origin_y.into(),
            origin_x: origin_x.into(),
            width: width.into(),
            pixels,
            channels: channels as u64,
        };
        // A texture is always bound whole.
        let image = Window { operand: IMAGE, start: 0, bytes: 0 };
        let tensor = |operand| limits.operand_window(storage, operand, 0, elements).0;
        let (kernel, windows) = match format {
            None => (&load::KERNEL, vec![image, tensor("output")]),
            Some(TexelFormat::Rgba8Unorm) => (&store::RGBA8UNORM, vec![tensor("input"), image]),
            Some(TexelFormat::Rgba16Float) => (&store::RGBA16FLOAT, vec![tensor("input"), image]),
            Some(TexelFormat::Rgba32Float) => (&store::RGBA32FLOAT, vec![tensor("input"), image]),
        };
        let workgroups = kernel.workgroups(pixels);
        let step = limits.step(kernel, storage, params, windows, workgroups)?;
        Ok(Plan { steps: vec![step], ..Plan::default() })
    }
}

/// The name by which plans refer to the texture.
const IMAGE: &str = "image";

fn loading_call<'a>(texture: &'a BoundTexture, tensor: &'a Tensor) -> Call<'a> {
    Call { operands: vec![("output", tensor)], texture: Some((IMAGE, texture)), ..Call::default() }
}

fn storing_call<'a>(tensor: &'a Tensor, texture: &'a BoundTexture) -> Call<'a> {
    Call { operands: vec![("input", tensor)], texture: Some((IMAGE, texture)), ..Call::default() }
}

/// Checks that a tensor has the size of a region, and returns its number of channels.
fn channels(tensor: &Tensor, size: [u32; 2], known: &[usize], because: &'static str) -> Result<usize> {
    let [height, width] = size.map(|size| size as usize);
    let got = tensor.shape().get(1).copied().unwrap_or(0);
    check_shape("tensor", tensor, &[1, got, height, width], "one image as large as the region")?;
    match known.contains(&got) {
        true => Ok(got),
        false => Err(Error::Axis { operand: "tensor", axis: 1, expected: known[known.len() - 1], got, because }),
    }
}
