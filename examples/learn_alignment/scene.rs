//! The two pictures, the layer's input and the loss.

use std::f32::consts::PI;
use std::path::Path;

use deform::{DeformConv2d, Inputs, Options, Tensor};
use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgb, Rgb32FImage, RgbImage};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::Result;

const PHOTO: &[u8] = include_bytes!("../../cli/assets/chelsea.jpg");
/// The number of cosines along each axis, which limits how fast the offset field can vary.
const WAVES: usize = 6;
/// The channels of the layer's input that depend on the position only.
pub(crate) const BASIS: usize = WAVES * WAVES;
/// The largest side of a picture; larger pictures are scaled down.
const LONGEST: u32 = 240;
/// The width of the border that the loss ignores, because pixels there may have no counterpart in the other picture.
const MARGIN: usize = 10;
/// The approximate distance by which the bend moves pixels.
const BEND: f32 = 5.0;

/// Two pictures of the same size, `[3, height, width]` in 0 … 1.
pub(crate) struct Scene {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// The picture to align.
    pub(crate) from: Vec<f32>,
    /// The picture to align it to.
    pub(crate) to: Vec<f32>,
}

impl Scene {
    /// Reads a scene from two files. The picture to align gets the size of the other.
    pub(crate) fn read(from: &Path, to: &Path) -> Result<Self> {
        let to = smaller(&image::open(to)?.into_rgb8());
        let (width, height) = to.dimensions();
        let from = imageops::resize(&image::open(from)?.into_rgb8(), width, height, FilterType::Triangle);
        Ok(Self { height: height as usize, width: width as usize, from: planes(&from), to: planes(&to) })
    }

    /// Makes a scene from the photograph and a copy that the operator bends by a sum of random waves.
    pub(crate) fn bent(operator: &DeformConv2d, seed: u64) -> Result<Self> {
        let photo = smaller(&image::load_from_memory(PHOTO)?.into_rgb8());
        let (width, height) = (photo.width() as usize, photo.height() as usize);
        let to = planes(&photo);
        let mut rng = StdRng::seed_from_u64(seed);
        let mut offset = vec![0.0; 2 * height * width];
        for plane in offset.chunks_mut(height * width) {
            for _ in 0..3 {
                let [along_y, along_x] = [rng.random_range(0.3..2.0), rng.random_range(0.3..2.0)];
                let (phase, height_of) = (rng.random_range(0.0..2.0 * PI), rng.random_range(0.5..1.0) * BEND / 2.0);
                for (n, value) in plane.iter_mut().enumerate() {
                    let (y, x) = ((n / width) as f32 / height as f32, (n % width) as f32 / width as f32);
                    *value += height_of * (PI * (along_y * y + along_x * x) + phase).sin();
                }
            }
        }
        let gpu = operator.gpu();
        let identity: Vec<f32> = (0..9).map(|n| f32::from(u8::from(n % 4 == 0))).collect();
        let input = Tensor::upload(gpu, [1, 3, height, width], &to)?;
        let offset = Tensor::upload(gpu, [1, 2, height, width], &offset)?;
        let weight = Tensor::upload(gpu, [3, 3, 1, 1], &identity)?;
        let inputs = Inputs { input: &input, offset: &offset, weight: &weight, mask: None, bias: None };
        let from = operator.forward(&inputs, Options::default())?.download()?;
        Ok(Self { height, width, from, to })
    }

    /// Returns the layer's input: the channels of a picture, then the basis.
    pub(crate) fn input(&self, picture: &[f32]) -> Vec<f32> {
        let mut input = picture.to_vec();
        let wave = |n: usize, at: usize, size: usize| (PI * n as f32 * (at as f32 + 0.5) / size as f32).cos();
        for (i, j) in (0..WAVES).flat_map(|i| (0..WAVES).map(move |j| (i, j))) {
            let pixels = 0..self.height * self.width;
            input.extend(pixels.map(|n| wave(i, n / self.width, self.height) * wave(j, n % self.width, self.width)));
        }
        input
    }

    /// Returns the mean squared error inside the margin, and its gradient by the output.
    pub(crate) fn loss(&self, output: &[f32], target: &[f32]) -> (f64, Vec<f32>) {
        let (height, width) = (self.height, self.width);
        let inside = |at: usize, size: usize| (MARGIN..size.saturating_sub(MARGIN)).contains(&at);
        let compared = |n: usize| inside(n / width % height, height) && inside(n % width, width);
        let count = (0..output.len()).filter(|&n| compared(n)).count().max(1);
        let error = |n: usize| if compared(n) { output[n] - target[n] } else { 0.0 };
        let sum: f64 = (0..output.len()).map(|n| f64::from(error(n)).powi(2)).sum();
        (sum / count as f64, (0..output.len()).map(|n| 2.0 * error(n) / count as f32).collect())
    }

    /// Returns the peak signal-to-noise ratio of a picture against [`Scene::to`], in dB.
    pub(crate) fn psnr(&self, picture: &[f32]) -> f64 {
        -10.0 * self.loss(picture, &self.to).0.log10()
    }
}

/// Blurs a picture with a Gaussian whose standard deviation is `blur` pixels.
pub(crate) fn blurred(scene: &Scene, picture: &[f32], blur: f32) -> Vec<f32> {
    if blur <= 0.0 {
        return picture.to_vec();
    }
    let (height, width) = (scene.height, scene.width);
    let at = |n: usize, plane: usize| picture[plane * height * width + n];
    let pixels = (0..height * width).flat_map(|n| [at(n, 0), at(n, 1), at(n, 2)]).collect();
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let image: Option<Rgb32FImage> = size.and_then(|(width, height)| ImageBuffer::from_raw(width, height, pixels));
    image.map_or_else(Vec::new, |image| {
        let blurred = imageops::blur(&image, blur);
        (0..3).flat_map(|plane| blurred.pixels().map(move |Rgb(pixel)| pixel[plane]).collect::<Vec<_>>()).collect()
    })
}

fn smaller(photo: &RgbImage) -> RgbImage {
    let (width, height) = photo.dimensions();
    let longest = width.max(height).max(1);
    let scaled = |size: u32| if longest > LONGEST { (size * LONGEST / longest).max(1) } else { size };
    imageops::resize(photo, scaled(width), scaled(height), FilterType::Triangle)
}

fn planes(image: &RgbImage) -> Vec<f32> {
    (0..3).flat_map(|plane| image.pixels().map(move |Rgb(pixel)| f32::from(pixel[plane]) / 255.0)).collect()
}
