//! Bends a picture: computes an offset field from dragged points, and reads the picture with a kernel that follows the
//! offsets.

use deform::ops::deform_conv2d::Geometry;
use deform::{Inputs, Options, Tensor};
use wasm_bindgen::prelude::*;

use crate::Device;

/// The kernel that reads the picture.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub struct Kernel {
    size: usize,
    dilation: usize,
    v2: bool,
}

#[wasm_bindgen]
impl Kernel {
    /// Makes a kernel that averages size × size taps, `dilation` pixels apart. With `v2` the taps have a mask, which is
    /// smaller the further the output pixel is from the end of the last point.
    #[wasm_bindgen(constructor)]
    pub fn new(size: usize, dilation: usize, v2: bool) -> Self {
        Self { size: size.max(1), dilation: dilation.max(1), v2 }
    }

    fn padding(self) -> usize {
        self.size / 2 * self.dilation
    }

    fn options(self) -> Options {
        Options { padding: [self.padding(); 2], dilation: [self.dilation; 2], ..Options::default() }
    }
}

/// A bent picture and the number of operations that it took.
#[wasm_bindgen]
pub struct Bent {
    rgba: Vec<u8>,
    /// The floating-point operations of the product.
    pub flops: f64,
}

#[wasm_bindgen]
impl Bent {
    /// The pixels, four bytes each.
    #[wasm_bindgen(getter)]
    pub fn rgba(&self) -> Vec<u8> {
        self.rgba.clone()
    }
}

/// The standard deviation of a point's influence, relative to the picture's width.
const REACH: f32 = 0.18;
/// The mask at output pixels far from the last point.
const LEAST_MASK: f32 = 0.25;

/// The offset field of dragged points, four numbers each: the start x, y and the movement x, y. The picture at a
/// point's end shows the pixels at its start, so the offsets around the end are the negative movement.
struct Field<'a> {
    points: &'a [f32],
    width: f32,
}

impl Field<'_> {
    /// Returns the offset of a pixel, `[y, x]`.
    fn at(&self, y: f32, x: f32) -> [f32; 2] {
        let mut sum = [0.0; 3];
        for point in self.points.chunks_exact(4) {
            let (end_x, end_y) = (point[0] + point[2], point[1] + point[3]);
            let near = self.nearness(y - end_y, x - end_x);
            sum = [sum[0] - near * point[3], sum[1] - near * point[2], sum[2] + near];
        }
        let all = sum[2].max(1.0);
        [sum[0] / all, sum[1] / all]
    }

    /// Returns the mask of a pixel, which is 1 at the end of the last point and everywhere without points.
    fn mask(&self, y: f32, x: f32) -> f32 {
        let last = self.points.chunks_exact(4).next_back();
        last.map_or(1.0, |p| LEAST_MASK + (1.0 - LEAST_MASK) * self.nearness(y - p[1] - p[3], x - p[0] - p[2]))
    }

    /// Returns the influence at a distance from a point's end, 1 at the end itself.
    fn nearness(&self, down: f32, right: f32) -> f32 {
        let reach = REACH * self.width;
        (-(down * down + right * right) / (2.0 * reach * reach)).exp()
    }
}

#[wasm_bindgen]
impl Device {
    /// Bends a picture with `width` pixels per row and four bytes per pixel.
    pub async fn bend(&self, rgba: &[u8], width: usize, points: &[f32], kernel: &Kernel) -> Result<Bent, JsError> {
        let kernel = *kernel;
        let pixels = rgba.len() / 4;
        let height = pixels.checked_div(width).unwrap_or(0);
        let field = Field { points, width: width as f32 };
        let taps = kernel.size * kernel.size;
        let place = |n: usize| ((n / width.max(1)) as f32, (n % width.max(1)) as f32);
        let planes: Vec<f32> =
            (0..3).flat_map(|c| rgba.chunks_exact(4).map(move |pixel| f32::from(pixel[c]) / 255.0)).collect();
        let moved: Vec<[f32; 2]> = (0..pixels).map(place).map(|(y, x)| field.at(y, x)).collect();
        let offset: Vec<f32> =
            (0..2 * taps).flat_map(|plane| moved.iter().map(move |offset| offset[plane % 2])).collect();
        let weight: Vec<f32> =
            (0..9 * taps).map(|n| if (n / taps).is_multiple_of(4) { 1.0 / taps as f32 } else { 0.0 }).collect();
        let upload = |shape: [usize; 4], values: &[f32]| Tensor::upload(&self.gpu, shape, values);
        let input = upload([1, 3, height, width], &planes)?;
        let offset = upload([1, 2 * taps, height, width], &offset)?;
        let weight = upload([3, 3, kernel.size, kernel.size], &weight)?;
        let mask: Option<Vec<f32>> =
            kernel.v2.then(|| (0..taps).flat_map(|_| (0..pixels).map(place)).map(|(y, x)| field.mask(y, x)).collect());
        let mask = mask.map(|mask| upload([1, taps, height, width], &mask)).transpose()?;
        let inputs = Inputs { input: &input, offset: &offset, weight: &weight, mask: mask.as_ref(), bias: None };
        let flops = Geometry::new(inputs.shapes(), &kernel.options())?.flops();
        let output = self.operator.forward(&inputs, kernel.options())?.download_async::<f32>().await?;
        let byte = |value: f32| (255.0 * value).round().clamp(0.0, 255.0) as u8;
        let pixel = |n: usize| [byte(output[n]), byte(output[n + pixels]), byte(output[n + 2 * pixels]), 255];
        Ok(Bent { rgba: (0..pixels).flat_map(pixel).collect(), flops })
    }
}

/// Returns the sampling positions of an output pixel's taps, as x and y of one tap after the other.
#[wasm_bindgen]
pub fn taps(width: usize, points: &[f32], kernel: &Kernel, x: f32, y: f32) -> Vec<f32> {
    let [down, right] = Field { points, width: width as f32 }.at(y, x);
    let place = |n: usize| (n * kernel.dilation) as f32 - kernel.padding() as f32;
    let tap = |n: usize| [x + place(n % kernel.size) + right, y + place(n / kernel.size) + down];
    (0..kernel.size * kernel.size).flat_map(tap).collect()
}
