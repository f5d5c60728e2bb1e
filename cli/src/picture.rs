//! Figures: panels with captions, and the positions that taps read.

use ab_glyph::FontRef;
use anyhow::Result;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use imageproc::drawing::{
    draw_antialiased_line_segment_mut, draw_filled_circle_mut, draw_hollow_rect_mut, draw_text_mut,
};
use imageproc::pixelops::interpolate;
use imageproc::rect::Rect;

use crate::numbers::{byte, coordinate, length, rounded};

/// A position in a picture or a distance, [y, x] in pixels.
pub(crate) type Place = [f32; 2];

const FONT: &[u8] = include_bytes!("../assets/DejaVuSans-ascii.ttf");
const WHITE: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([30, 30, 30]);
const MARGIN: u32 = 14;
const CAPTION: u32 = 30;

/// Draws panels of one height side by side, each under its caption.
pub(crate) fn panels(panels: &[(&str, &RgbImage)]) -> Result<RgbImage> {
    let font = FontRef::try_from_slice(FONT)?;
    let height = panels.iter().map(|(_, panel)| panel.height()).max().unwrap_or(0);
    let width: u32 = panels.iter().map(|(_, panel)| panel.width() + MARGIN).sum();
    let mut figure = RgbImage::from_pixel(width + MARGIN, height + CAPTION + 2 * MARGIN, WHITE);
    let mut x = MARGIN;
    for (caption, panel) in panels {
        draw_text_mut(&mut figure, INK, x.try_into()?, MARGIN.try_into()?, 19.0, &font, caption);
        imageops::replace(&mut figure, *panel, i64::from(x), i64::from(MARGIN + CAPTION));
        x += panel.width() + MARGIN;
    }
    Ok(figure)
}

/// An output pixel whose taps are shown.
pub(crate) struct Probe {
    pub(crate) pixel: [u32; 2],
    pub(crate) caption: String,
    pub(crate) color: Rgb<u8>,
}

/// The photograph pixels along each side of a close-up; odd, so that the probe is in the middle.
const CLOSE_UP: u32 = 13;
/// The figure pixels along each side of one photograph pixel in a close-up.
const ZOOM: u32 = 23;
/// The factor by which a close-up is drawn larger and then shrunk, which smooths edges.
const OVERSAMPLING: u32 = 3;
/// A sixth of a dot's radius in that drawing.
const RADIUS: i32 = 3;

/// Draws the photograph with the probes marked, and a close-up of each. Hollow squares are the pixels that an ordinary
/// 3×3 kernel reads, dots are the positions that the deformed kernel reads.
pub(crate) fn taps(photo: &RgbImage, probes: &[Probe; 4], field: impl Fn(Place, Place) -> Place) -> Result<RgbImage> {
    let font = FontRef::try_from_slice(FONT)?;
    let side = CLOSE_UP * ZOOM;
    let height = 2 * (side + CAPTION) + MARGIN;
    let scale = f64::from(height - CAPTION) / f64::from(photo.height());
    let width = length((f64::from(photo.width()) * scale).round());
    let mut overview = dimmed(&imageops::resize(photo, width, height - CAPTION, FilterType::CatmullRom), 0.25);
    for probe in probes {
        let place = |place: u32| (f64::from(place) + 0.5 - f64::from(CLOSE_UP) / 2.0) * scale;
        let [y, x] = probe.pixel.map(|pixel| coordinate(rounded(place(pixel))));
        let size = length(f64::from(CLOSE_UP) * scale);
        for (border, size) in (0..3).zip((size..).step_by(2)) {
            let rect = Rect::at(x - border, y - border).of_size(size, size);
            draw_hollow_rect_mut(&mut overview, rect, probe.color);
        }
    }

    let mut figure = RgbImage::from_pixel(width + 2 * side + 4 * MARGIN, height + 2 * MARGIN, WHITE);
    let caption =
        "White squares: pixels that an ordinary 3x3 kernel reads. Dots: positions that the deformed kernel reads.";
    draw_text_mut(&mut figure, INK, MARGIN.try_into()?, MARGIN.try_into()?, 19.0, &font, caption);
    imageops::replace(&mut figure, &overview, i64::from(MARGIN), i64::from(MARGIN + CAPTION));
    for (index, probe) in (0..).zip(probes) {
        let x = 2 * MARGIN + width + index % 2 * (side + MARGIN);
        let y = MARGIN + index / 2 * (side + CAPTION + MARGIN);
        draw_text_mut(&mut figure, probe.color, x.try_into()?, y.try_into()?, 19.0, &font, &probe.caption);
        imageops::replace(&mut figure, &close_up(photo, probe, &field), i64::from(x), i64::from(y + CAPTION));
    }
    Ok(figure)
}

fn close_up(photo: &RgbImage, probe: &Probe, field: impl Fn(Place, Place) -> Place) -> RgbImage {
    let first = probe.pixel.map(|place| place - CLOSE_UP / 2);
    let crop = imageops::crop_imm(photo, first[1], first[0], CLOSE_UP, CLOSE_UP).to_image();
    let pixel = probe.pixel.map(|place| place as f32);
    let taps = (-1..=1).flat_map(|i| (-1..=1).map(move |j| [i as f32, j as f32]));
    let tap = |tap: Place| Tap { regular: [pixel[0] + tap[0], pixel[1] + tap[1]], read: field(pixel, tap) };
    let start = first.map(|place| place as f32);
    enlarged(&crop, start, ZOOM, pixel, &taps.map(tap).collect::<Vec<_>>(), probe.color)
}

/// The position that a tap of an ordinary convolution reads, and the position that it reads with its offset.
pub(crate) struct Tap {
    pub(crate) regular: Place,
    pub(crate) read: Place,
}

/// Enlarges a part of a picture that starts at a place, and draws the taps of one pixel on it. White squares are the pixels that an ordinary kernel
/// reads, dots are the positions that the deformed kernel reads, and a square in their color is the pixel itself.
pub(crate) fn enlarged(
    part: &RgbImage,
    start: Place,
    zoom: u32,
    pixel: Place,
    taps: &[Tap],
    color: Rgb<u8>,
) -> RgbImage {
    let [width, height] = [part.width() * zoom, part.height() * zoom];
    let zoom = zoom * OVERSAMPLING;
    let size = [part.width() * zoom, part.height() * zoom];
    let mut figure = dimmed(&imageops::resize(part, size[0], size[1], FilterType::Nearest), 0.2);
    // Positions refer to the middle of a pixel, hence the 0.5.
    let at = |place: Place| [0, 1].map(|axis| (place[axis] - start[axis] + 0.5) * zoom as f32);
    let squares = taps.iter().map(|tap| (tap.regular, WHITE)).chain([(pixel, color)]);
    for (place, color) in squares {
        let [y, x] = at(place).map(|place| coordinate(place - zoom as f32 / 2.0));
        for (inset, shift) in (0..(2 * OVERSAMPLING).min(zoom / 3)).zip(0..) {
            let rect = Rect::at(x + shift, y + shift).of_size(zoom - 2 * inset, zoom - 2 * inset);
            draw_hollow_rect_mut(&mut figure, rect, color);
        }
    }
    for tap in taps {
        thick_line(&mut figure, at(tap.regular), at(tap.read), color);
    }
    for tap in taps {
        let [y, x] = at(tap.read).map(|place| coordinate(place.round()));
        draw_filled_circle_mut(&mut figure, (x, y), 6 * RADIUS, INK);
        draw_filled_circle_mut(&mut figure, (x, y), 5 * RADIUS, color);
    }
    imageops::resize(&figure, width, height, FilterType::Triangle)
}

fn thick_line(image: &mut RgbImage, from: Place, to: Place, color: Rgb<u8>) {
    for dy in -3..=3 {
        for dx in -3..=3 {
            let shift = |[y, x]: Place| (coordinate(x.round()) + dx, coordinate(y.round()) + dy);
            draw_antialiased_line_segment_mut(image, shift(from), shift(to), color, interpolate);
        }
    }
}

/// Darkens the image, so that marks drawn on it stand out.
fn dimmed(image: &RgbImage, by: f32) -> RgbImage {
    imageproc::map::map_subpixels(image, |value| byte(f32::from(value) * (1.0 - by)))
}
