//! The photograph: loading it, and running the operator on it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{DeformConv2d, Gpu, Inputs, Options};
use deform_case::{Comparison, ErrorBounds};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Rgb, RgbImage};

use crate::case::Case;
use crate::numbers::byte;
use crate::picture::{Place, Probe};

/// Chelsea the cat, by Stefan van der Walt, CC0 (see `LICENSES.txt` in the same folder).
const PHOTO: &[u8] = include_bytes!("../../assets/chelsea.jpg");

/// The longest side of a photograph; a larger one is scaled down, because its pictures would take minutes.
const LONGEST: u32 = 640;
/// The shortest side of a photograph, which leaves room for the close-ups.
const SHORTEST: u32 = 32;
const COLORS: [Rgb<u8>; 4] = [Rgb([255, 138, 40]), Rgb([0, 170, 255]), Rgb([60, 200, 80]), Rgb([240, 70, 200])];

/// A photograph and the places of interest in it.
pub(crate) struct Photo {
    pub(crate) image: RgbImage,
    /// The place that stays sharp in the second picture.
    pub(crate) sharp: Place,
    /// The name of that place.
    pub(crate) sharp_name: &'static str,
    /// The pixels whose taps are shown.
    pub(crate) probes: [Probe; 4],
}

impl Photo {
    /// Decodes the photograph that comes with the tool.
    pub(crate) fn chelsea() -> Result<Self> {
        let image = image::load_from_memory_with_format(PHOTO, ImageFormat::Jpeg);
        // The grain has four directions there.
        let places = [
            ([180, 85], "on a stripe of the cheek"),
            ([115, 140], "at the rim of the eye"),
            ([232, 118], "on a whisker"),
            ([245, 281], "at the edge of the nose"),
        ];
        Ok(Self {
            image: image.context("cannot decode the photograph")?.to_rgb8(),
            sharp: [115.0, 171.0],
            sharp_name: "the eye",
            probes: probes(places.map(|(pixel, caption)| (pixel, caption.to_owned()))),
        })
    }

    /// Reads a JPEG or PNG file, and scales a large photograph down.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let original = decode(path).with_context(|| format!("cannot read the photograph {}", path.display()))?;
        let (original_width, original_height) = (original.width(), original.height());
        let image = if original_width.max(original_height) > LONGEST {
            original.resize(LONGEST, LONGEST, FilterType::CatmullRom).to_rgb8()
        } else {
            original.to_rgb8()
        };
        let (width, height) = image.dimensions();
        ensure!(
            width.min(height) >= SHORTEST,
            "the photograph {} has {width} by {height} pixels, expected at least {SHORTEST} by {SHORTEST} (after it is \
             scaled down to {LONGEST} on its longer side, if it is larger)",
            path.display()
        );
        if (width, height) != (original_width, original_height) {
            println!(
                "{} is scaled down from {original_width} by {original_height} to {width} by {height} pixels.\n",
                path.display()
            );
        }
        let places = [[1, 1], [1, 3], [3, 1], [3, 3]].map(|[y, x]| [y * height / 4, x * width / 4]);
        Ok(Self {
            image,
            sharp: [height as f32 / 2.0, width as f32 / 2.0],
            sharp_name: "the middle",
            probes: probes(places.map(|[y, x]| ([y, x], format!("at row {y}, column {x}")))),
        })
    }
}

/// Decodes a file and turns the image upright, as the camera recorded it.
fn decode(path: &Path) -> ImageResult<DynamicImage> {
    let mut decoder = ImageReader::open(path)?.with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn probes(places: [([u32; 2], String); 4]) -> [Probe; 4] {
    std::array::from_fn(|n| Probe { pixel: places[n].0, caption: places[n].1.clone(), color: COLORS[n] })
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
        Rgb([0, 1, 2].map(|channel| byte((255.0 * planes[channel * pixels + pixel]).round())))
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
            let geometry = case.geometry()?;
            let reference = Reference::new(&geometry, case.values())?;
            let bounds = ErrorBounds::new(reference).output();
            Comparison::of(&values, &reference.forward(), bounds).check("the CPU reference")?;
            checked = true;
        }
        input = HostTensor { shape: case.operands.input.shape, values: values.clone() };
    }
    Ok(image(&values, photo.width(), photo.height()))
}
