//! The photograph: loading it, and running the operator on it.

use anyhow::{Context, Result};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{DeformConv2d, Gpu, Inputs, Options};
use image::{ImageFormat, RgbImage};

use crate::accuracy::Bounds;
use crate::case::Case;

/// Chelsea the cat, by Stefan van der Walt, CC0 (see `LICENSES.txt` in the same folder).
const PHOTO: &[u8] = include_bytes!("../../assets/chelsea.jpg");

/// Decodes the photograph.
pub(crate) fn load() -> Result<RgbImage> {
    Ok(image::load_from_memory_with_format(PHOTO, ImageFormat::Jpeg).context("cannot decode the photograph")?.to_rgb8())
}

/// Converts an image to an input of batch 1 with three channels of values in 0…1.
pub(crate) fn planes(image: &RgbImage) -> HostTensor {
    let channel = |channel: usize| image.pixels().map(move |pixel| f32::from(pixel.0[channel]) / 255.0);
    HostTensor {
        shape: vec![1, 3, image.height() as usize, image.width() as usize],
        values: (0..3).flat_map(channel).collect(),
    }
}

/// Converts three channels of values in 0…1 to an image.
fn image(planes: &[f32], width: u32, height: u32) -> RgbImage {
    let pixels = (width * height) as usize;
    RgbImage::from_fn(width, height, |x, y| {
        let pixel = (y * width + x) as usize;
        image::Rgb([0, 1, 2].map(|channel| (255.0 * planes[channel * pixels + pixel]).round().clamp(0.0, 255.0) as u8))
    })
}

/// Applies a square kernel to each of the three colours of the photograph, once for each field of offsets. The output
/// of one call is the input of the next. The first call is checked against the reference.
pub(crate) fn filter(
    gpu: &Gpu,
    op: &DeformConv2d,
    photo: &RgbImage,
    kernel: &[f32],
    offsets: Vec<HostTensor>,
) -> Result<RgbImage> {
    let size = kernel.len().isqrt();
    // Three groups, so that the colours do not mix.
    let weight = HostTensor { shape: vec![3, 1, size, size], values: kernel.repeat(3) };
    let options = Options { padding: [size / 2; 2], ..Options::default() };
    let mut checked = false;
    let mut values = Vec::new();
    let mut input = planes(photo);
    for offset in offsets {
        let operands = Inputs { input, offset, weight: weight.clone(), mask: None, bias: None };
        let case = Case::new("photograph", operands, options);
        let inputs = deform_case::upload(gpu, &case.operands)?;
        values = op.forward(&inputs.as_ref(), options)?.download()?;
        if !checked {
            let want = Reference::new(&case.geometry()?, case.values())?.forward();
            Bounds::new(&case)?.compare(&values, &want).check("the CPU reference")?;
            checked = true;
        }
        input = HostTensor { shape: case.operands.input.shape, values: values.clone() };
    }
    Ok(image(&values, photo.width(), photo.height()))
}
