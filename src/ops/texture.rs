//! Reads a rectangle of a texture into a tensor, and writes a tensor into one, on the device. So an image filter can
//! run inside a frame, and no data passes through the host.
//!
//! ```text
//! tensor[0, c, y, x] = texel(origin_y + y, origin_x + x)[c]                    c = r, g, b, a, as many as the tensor has channels
//! ```

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::error::{Error, Result};
pub use crate::gpu::TextureRegion;
use crate::gpu::{Bound, BoundTexture, Call, Engine, Expected, Gpu, Planned, Prepared, Recorder, Tensor, Texels};
use crate::kernel::texture::{load, region, store};
use crate::kernel::{Storage, TexelFormat};
use crate::plan::{DeviceLimits, Plan, Window};

/// The key of a call: the texels, the channels, and the tensor's storage.
type Key = (Texels, usize, Storage);

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
        let (prepared, texture) = self.loading(region, channels, dtype)?;
        let [height, width] = region.size.map(|size| size as usize);
        let tensor = Tensor::new(self.engine.gpu(), [1, channels, height, width], dtype)?;
        self.engine.keep(prepared).submit_call(&call(&tensor, &texture))?;
        Ok(tensor)
    }

    /// Records [`Textures::load`] into the caller's encoder or compute pass, with the caller's tensor. Prepares the
    /// call if no handle for it lives and the operator has not kept it.
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
        let (prepared, texture) = self.loading(region, channels(tensor)?, tensor.dtype())?;
        self.engine.keep(prepared).record_call(recorder, &call(tensor, &texture))
    }

    /// Prepares [`Textures::load`] for regions of this place, size and format.
    ///
    /// # Errors
    /// The same as [`Textures::load`].
    pub fn prepare_load(&self, region: TextureRegion<'_>, channels: usize, dtype: Dtype) -> Result<Prepared<Load>> {
        Ok(self.loading(region, channels, dtype)?.0)
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
        let (prepared, texture) = self.storing(region, channels(tensor)?, tensor.dtype())?;
        self.engine.keep(prepared).submit_call(&call(tensor, &texture))
    }

    /// Records [`Textures::store`] into the caller's encoder or compute pass. Prepares the call if no handle for it
    /// lives and the operator has not kept it.
    ///
    /// # Errors
    /// The same as [`Textures::store`].
    pub fn record_store<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        tensor: &Tensor,
        region: TextureRegion<'_>,
    ) -> Result<()> {
        let (prepared, texture) = self.storing(region, channels(tensor)?, tensor.dtype())?;
        self.engine.keep(prepared).record_call(recorder, &call(tensor, &texture))
    }

    /// Prepares [`Textures::store`] for regions of this place, size and format.
    ///
    /// # Errors
    /// The same as [`Textures::store`].
    pub fn prepare_store(&self, region: TextureRegion<'_>, channels: usize, dtype: Dtype) -> Result<Prepared<Store>> {
        Ok(self.storing(region, channels, dtype)?.0)
    }

    fn loading(
        &self,
        region: TextureRegion<'_>,
        channels: usize,
        dtype: Dtype,
    ) -> Result<(Prepared<Load>, BoundTexture)> {
        check_channels(channels, &[1, 2, 3, 4], "1 to 4 channels of a texel")?;
        let texture = region.to_read(self.engine.gpu())?;
        Ok((self.prepare(texture.texels, channels, dtype)?, texture))
    }

    fn storing(
        &self,
        region: TextureRegion<'_>,
        channels: usize,
        dtype: Dtype,
    ) -> Result<(Prepared<Store>, BoundTexture)> {
        check_channels(channels, &[1, 3, 4], "1, 3 or 4 channels of a picture")?;
        let texture = region.to_write(self.engine.gpu())?;
        Ok((self.prepare(texture.texels, channels, dtype)?, texture))
    }

    fn prepare<C>(&self, texels: Texels, channels: usize, dtype: Dtype) -> Result<Prepared<C>> {
        let storage = self.engine.gpu().storage(dtype);
        let planned = || {
            let shape = vec![1, channels, texels.size[0] as usize, texels.size[1] as usize];
            let because = "one image as large as the region";
            let operands = vec![Expected { operand: TENSOR, shape, dtype, because }];
            let plan = plan(self.engine.gpu().limits(), texels, channels, storage)?;
            Ok(Planned { plan, operands, texture: Some(texels), ..Planned::default() })
        };
        self.engine.prepare(&(texels, channels, storage), planned)
    }
}

fn plan(limits: &DeviceLimits, texels: Texels, channels: usize, storage: Storage) -> Result<Plan> {
    let Texels { origin: [origin_y, origin_x], size: [height, width], format } = texels;
    let pixels = u64::from(height) * u64::from(width);
    let elements = pixels * channels as u64;
    limits.check_elements("the picture", storage, elements)?;
    if pixels == 0 {
        return Ok(Plan::default());
    }
    let params = region::Params {
        origin_y: origin_y.into(),
        origin_x: origin_x.into(),
        width: width.into(),
        pixels,
        channels: channels as u64,
    };
    // A texture is always bound whole.
    let image = Window { operand: IMAGE, start: 0, bytes: 0 };
    let tensor = limits.operand_window(storage, TENSOR, 0, elements).0;
    let (kernel, windows) = match format {
        None => (&load::KERNEL, vec![image, tensor]),
        Some(TexelFormat::Rgba8Unorm) => (&store::RGBA8UNORM, vec![tensor, image]),
        Some(TexelFormat::Rgba16Float) => (&store::RGBA16FLOAT, vec![tensor, image]),
        Some(TexelFormat::Rgba32Float) => (&store::RGBA32FLOAT, vec![tensor, image]),
    };
    let step = limits.step(kernel, storage, params, windows, kernel.workgroups(pixels))?;
    Ok(Plan { steps: vec![step], ..Plan::default() })
}

/// The name by which plans refer to the texture.
const IMAGE: &str = "image";
/// The name by which plans refer to the tensor.
const TENSOR: &str = "tensor";

/// [`Textures::load`], as a [`Prepared`].
#[derive(Debug)]
pub enum Load {}

/// [`Textures::store`], as a [`Prepared`].
#[derive(Debug)]
pub enum Store {}

impl Prepared<Load> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait.
    ///
    /// # Errors
    /// Returns [`Error::UnsuitableTexture`], also for a region of another place or size than the prepared one,
    /// [`Error::Rank`], [`Error::Axis`] or [`Error::Dtype`] for the tensor, [`Error::OtherDevice`], or
    /// [`Error::Device`].
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        region: TextureRegion<'_>,
        tensor: &Tensor,
    ) -> Result<()> {
        self.record_call(recorder, &call(tensor, &region.to_read(self.gpu())?))
    }

    /// Binds the operands of a call that is recorded many times. Makes a view of the texture.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn bind(&self, region: TextureRegion<'_>, tensor: &Tensor) -> Result<Bound> {
        self.bind_call(&call(tensor, &region.to_read(self.gpu())?))
    }
}

impl Prepared<Store> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait.
    ///
    /// # Errors
    /// The same as those of the load's `record`.
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        tensor: &Tensor,
        region: TextureRegion<'_>,
    ) -> Result<()> {
        self.record_call(recorder, &call(tensor, &region.to_write(self.gpu())?))
    }

    /// Binds the operands of a call that is recorded many times. Makes a view of the texture.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn bind(&self, tensor: &Tensor, region: TextureRegion<'_>) -> Result<Bound> {
        self.bind_call(&call(tensor, &region.to_write(self.gpu())?))
    }
}

fn call<'a>(tensor: &'a Tensor, texture: &'a BoundTexture) -> Call<'a> {
    Call { operands: vec![(TENSOR, tensor)], texture: Some((IMAGE, texture)), ..Call::default() }
}

/// Returns the number of channels of a tensor.
fn channels(tensor: &Tensor) -> Result<usize> {
    let rank = Error::Rank { operand: "tensor", expected: 4, got: tensor.shape().len() };
    let [_, channels, _, _] = tensor.shape().try_into().map_err(|_| rank)?;
    Ok(channels)
}

fn check_channels(got: usize, known: &[usize], because: &'static str) -> Result<()> {
    match known.contains(&got) {
        true => Ok(()),
        false => Err(Error::Axis { operand: "tensor", axis: 1, expected: known[known.len() - 1], got, because }),
    }
}
