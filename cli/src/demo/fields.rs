//! Fields of offsets: the position that each tap of each output pixel reads.

use deform::layers::HostTensor;
use image::{GrayImage, ImageBuffer, Luma, RgbImage};
use imageproc::filter::gaussian_blur_f32;
use imageproc::gradients::{horizontal_sobel, vertical_sobel};

use crate::numbers::length;
use crate::picture::Place;

/// Returns the offsets that move every tap to the position that `field` returns for it.
///
/// `field` takes an output pixel and a tap, as its distance from the middle tap. Positions outside the photograph are
/// moved to its border, because the operator would read zeros there.
pub(crate) fn offsets(photo: &RgbImage, kernel: usize, field: impl Fn(Place, Place) -> Place) -> HostTensor {
    let (height, width) = (photo.height() as usize, photo.width() as usize);
    let mut values = Vec::with_capacity(2 * kernel * kernel * height * width);
    for tap in 0..kernel * kernel {
        let tap = [tap / kernel, tap % kernel].map(|tap| tap as f32 - (kernel / 2) as f32);
        for axis in 0..2 {
            let last = [height, width][axis] as f32 - 1.0;
            for pixel in 0..height * width {
                let pixel = [pixel / width, pixel % width].map(|place| place as f32);
                let regular = pixel[axis] + tap[axis];
                values.push(field(pixel, tap)[axis].clamp(0.0, last) - regular);
            }
        }
    }
    HostTensor { shape: vec![1, 2 * kernel * kernel, height, width], values }
}

/// Turns the photograph around its middle. The angle decreases with the distance and is 0 at the border.
pub(crate) fn swirl(photo: &RgbImage, [y, x]: Place) -> Place {
    const TURN: f32 = 2.4;
    let middle = [photo.height(), photo.width()].map(|size| size as f32 / 2.0);
    let (dy, dx) = (y - middle[0], x - middle[1]);
    let nearness = (1.0 - dy.hypot(dx) / middle[0].min(middle[1])).max(0.0);
    let (sin, cos) = (TURN * nearness * nearness).sin_cos();
    [middle[0] + cos * dy - sin * dx, middle[1] + sin * dy + cos * dx]
}

/// Spreads the taps of a pixel more the further it is from the sharp place, in parts of the photograph's shorter side.
/// Near that place all taps read the pixel itself.
pub(crate) fn focus(photo: &RgbImage, sharp: Place, pixel: Place, tap: Place, strength: f32) -> Place {
    let side = photo.height().min(photo.width()) as f32;
    let distance = (pixel[0] - sharp[0]).hypot(pixel[1] - sharp[1]) / side;
    let spread = strength * (2.0 * distance - 1.0 / 3.0).clamp(0.0, 1.0);
    [pixel[0] + spread * tap[0], pixel[1] + spread * tap[1]]
}

/// The direction at every pixel in which the photograph changes least, for example along a hair or an edge.
pub(crate) struct Grain {
    width: usize,
    directions: Vec<Place>,
}

impl Grain {
    /// Computes the directions from the structure tensor, the blurred products of the gradients at each pixel.
    pub(crate) fn of(photo: &RgbImage) -> Self {
        let grey: GrayImage = image::imageops::grayscale(photo);
        let (along_x, along_y) = (horizontal_sobel(&grey), vertical_sobel(&grey));
        let blurred = |product: &dyn Fn(f32, f32) -> f32| {
            let products = ImageBuffer::from_fn(grey.width(), grey.height(), |x, y| {
                Luma([product(f32::from(along_x.get_pixel(x, y).0[0]), f32::from(along_y.get_pixel(x, y).0[0]))])
            });
            gaussian_blur_f32(&products, 2.5).into_raw()
        };
        let (xx, xy, yy) = (blurred(&|x, _| x * x), blurred(&|x, y| x * y), blurred(&|_, y| y * y));
        let directions = (xx.iter().zip(&xy).zip(&yy)).map(|((xx, xy), yy)| {
            // The grey changes most along the tensor's main axis; the grain is perpendicular to it.
            let steepest = 0.5 * (2.0 * xy).atan2(xx - yy);
            [steepest.cos(), -steepest.sin()]
        });
        Self { width: grey.width() as usize, directions: directions.collect() }
    }

    /// Turns the kernel so that its rows or its columns follow the grain, whichever turns it less. Then stretches it
    /// along the grain and shrinks it across.
    pub(crate) fn follow(&self, pixel: Place, tap: Place) -> Place {
        const ALONG: f32 = 3.0;
        const ACROSS: f32 = 0.6;
        let [row, column] = pixel.map(|place| length(place.into()) as usize);
        // y is never negative: the angle of the main axis is between −π/2 and π/2, and y is its cosine.
        let [y, x] = self.directions[row * self.width + column];
        let [down, right] = if x.abs() > y {
            let (y, x) = (y * x.signum(), x.abs());
            [ACROSS * tap[0] * x + ALONG * tap[1] * y, ALONG * tap[1] * x - ACROSS * tap[0] * y]
        } else {
            [ALONG * tap[0] * y - ACROSS * tap[1] * x, ALONG * tap[0] * x + ACROSS * tap[1] * y]
        };
        [pixel[0] + down, pixel[1] + right]
    }
}
