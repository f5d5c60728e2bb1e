//! The taps of one output pixel, drawn on the input.

use image::{Rgb, RgbImage};

use super::taps::Pixel;
use crate::numbers::{byte, length, rounded, whole};
use crate::picture::{Place, Tap, enlarged};

/// The explanation of the picture.
pub(super) const LEGEND: &str = "\
White squares: pixels that an ordinary kernel reads. Dots: positions that the deformed kernel reads.
Orange square: the pixel itself. Blue: outside the image. Taps that are far outside are not drawn.";

const COLOR: Rgb<u8> = Rgb([255, 138, 40]);
const OUTSIDE: Rgb<u8> = Rgb([60, 70, 120]);
/// The distance from the image, in pixels, up to which taps are drawn.
const FAR: f32 = 32.0;
/// The pixels that are drawn around the taps.
const MARGIN: f32 = 3.0;
/// The length of the figure's longer side, as far as the zoom allows.
const SIDE: u32 = 900;
const LARGEST_ZOOM: u32 = 40;

/// Draws the taps of an input channel on the part of the input that they read.
pub(super) fn draw(pixel: &Pixel<'_>, channel: usize) -> RgbImage {
    let g = &pixel.positions.geometry;
    let size = [g.in_height as f32, g.in_width as f32];
    let taps = pixel.taps(channel).into_iter();
    let taps = taps.map(|tap| Tap { regular: tap.regular.map(|place| place as f32), read: tap.position });
    let mut taps: Vec<_> = taps.collect();
    // The middle of the kernel, which lies between two pixels if the kernel is even.
    let [first, last] = [0, taps.len() - 1].map(|tap| taps[tap].regular);
    let middle = [0, 1].map(|axis| f32::midpoint(first[axis], last[axis]).clamp(0.0, size[axis] - 1.0));
    let near = |place: Place| (0..2).all(|axis| place[axis] > -FAR && place[axis] < size[axis] + FAR);
    taps.retain(|tap| near(tap.regular) && near(tap.read));

    let places = || taps.iter().flat_map(|tap| [tap.regular, tap.read]).chain([middle]);
    let start = [0, 1].map(|axis| places().fold(f32::INFINITY, |least, place| least.min(place[axis])).floor() - MARGIN);
    let end = [0, 1].map(|axis| places().fold(0.0, |most: f32, place| most.max(place[axis])).ceil() + MARGIN);
    let [height, width] = [0, 1].map(|axis| length((end[axis] - start[axis]).into()) + 1);
    let part = part_of_input(pixel, channel, start, [height, width]);
    enlarged(&part, start, (SIDE / width.max(height)).clamp(1, LARGEST_ZOOM), middle, &taps, COLOR)
}

/// Returns the part of the input from the place `start`: in color if the input has three channels, else the given channel
/// in grey. The least value is black and the largest white.
fn part_of_input(pixel: &Pixel<'_>, channel: usize, start: Place, [height, width]: [u32; 2]) -> RgbImage {
    let g = &pixel.positions.geometry;
    let planes = if g.in_channels == 3 { [0, 1, 2] } else { [channel; 3] }.map(|channel| pixel.plane(channel));
    let finite = || planes.into_iter().flatten().filter(|value| value.is_finite()).map(|&value| f64::from(value));
    let (least, most) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let shade = |value: f32| byte(rounded((255.0 * (f64::from(value) - least) / (most - least)).round()));
    RgbImage::from_fn(width, height, |x, y| {
        let at = |start: f32, place: u32| usize::try_from(whole(start.into()) + i64::from(place)).ok();
        let at = at(start[0], y).zip(at(start[1], x)).filter(|(y, x)| *y < g.in_height && *x < g.in_width);
        at.map_or(OUTSIDE, |(y, x)| Rgb(planes.map(|plane| shade(plane[y * g.in_width + x]))))
    })
}
