//! Bends a picture: computes an offset field from dragged points, and the operands of a kernel that reads the picture
//! where the offsets lead.

use deform::layers::HostTensor;
use deform::{Inputs, Options};
use wasm_bindgen::prelude::*;

/// The kernel that reads the picture.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub struct Kernel {
    /// The number of taps in a row and in a column.
    #[wasm_bindgen(readonly)]
    pub size: usize,
    /// The pixels between neighbouring taps.
    #[wasm_bindgen(readonly)]
    pub dilation: usize,
    /// Whether the taps have a mask.
    #[wasm_bindgen(readonly)]
    pub v2: bool,
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

/// A kernel and the dragged points that move its taps.
pub(crate) struct Bend {
    pub(crate) kernel: Kernel,
    /// Four numbers a point: the start x, y and the movement x, y.
    pub(crate) points: Vec<f32>,
}

impl Bend {
    pub(crate) fn options(&self) -> Options {
        let Kernel { dilation, .. } = self.kernel;
        Options { padding: [self.kernel.padding(); 2], dilation: [dilation; 2], ..Options::default() }
    }

    /// Returns the operands for a picture with `width` pixels per row and four bytes per pixel.
    pub(crate) fn operands(&self, rgba: &[u8], width: usize) -> Inputs<HostTensor> {
        let Kernel { size, v2, .. } = self.kernel;
        let pixels = rgba.len() / 4;
        let height = pixels.checked_div(width).unwrap_or(0);
        let field = Field { points: &self.points, width: width as f32 };
        let taps = size * size;
        let place = |n: usize| ((n / width.max(1)) as f32, (n % width.max(1)) as f32);
        let planes = (0..3).flat_map(|c| rgba.chunks_exact(4).map(move |pixel| f32::from(pixel[c]) / 255.0)).collect();
        let moved: Vec<[f32; 2]> = (0..pixels).map(place).map(|(y, x)| field.at(y, x)).collect();
        let offset = (0..2 * taps).flat_map(|plane| moved.iter().map(move |offset| offset[plane % 2])).collect();
        let weight =
            (0..9 * taps).map(|n| if (n / taps).is_multiple_of(4) { 1.0 / taps as f32 } else { 0.0 }).collect();
        let mask = || (0..taps).flat_map(|_| (0..pixels).map(place)).map(|(y, x)| field.mask(y, x)).collect();
        let tensor = |shape: [usize; 4], values| HostTensor { shape: shape.to_vec(), values };
        Inputs {
            input: tensor([1, 3, height, width], planes),
            offset: tensor([1, 2 * taps, height, width], offset),
            weight: tensor([3, 3, size, size], weight),
            mask: v2.then(|| tensor([1, taps, height, width], mask())),
            bias: None,
        }
    }
}
