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

use super::fields::Place;

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans-ascii.ttf");
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
        draw_text_mut(&mut figure, INK, x as i32, MARGIN as i32, 19.0, &font, caption);
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

/// Draws the photograph with the probes marked, and a close-up of each. Hollow squares are the pixels that an ordinary
/// 3×3 kernel reads, dots are the positions that the deformed kernel reads.
pub(crate) fn taps(photo: &RgbImage, probes: &[Probe; 4], field: impl Fn(Place, Place) -> Place) -> Result<RgbImage> {
    let font = FontRef::try_from_slice(FONT)?;
    let side = CLOSE_UP * ZOOM;
    let height = 2 * (side + CAPTION) + MARGIN;
    let scale = f64::from(height - CAPTION) / f64::from(photo.height());
    let width = (f64::from(photo.width()) * scale).round() as u32;
    let mut overview = dimmed(&imageops::resize(photo, width, height - CAPTION, FilterType::CatmullRom), 0.25);
    for probe in probes {
        let [y, x] = probe.pixel.map(|place| ((f64::from(place) + 0.5 - f64::from(CLOSE_UP) / 2.0) * scale) as i32);
        let size = (f64::from(CLOSE_UP) * scale) as u32;
        for border in 0..3 {
            let rect = Rect::at(x - border, y - border).of_size(size + 2 * border as u32, size + 2 * border as u32);
            draw_hollow_rect_mut(&mut overview, rect, probe.color);
        }
    }

    let mut figure = RgbImage::from_pixel(width + 2 * side + 4 * MARGIN, height + 2 * MARGIN, WHITE);
    let caption =
        "White squares: pixels that an ordinary 3x3 kernel reads. Dots: positions that the deformed kernel reads.";
    draw_text_mut(&mut figure, INK, MARGIN as i32, MARGIN as i32, 19.0, &font, caption);
    imageops::replace(&mut figure, &overview, i64::from(MARGIN), i64::from(MARGIN + CAPTION));
    for (index, probe) in (0..).zip(probes) {
        let x = 2 * MARGIN + width + index % 2 * (side + MARGIN);
        let y = MARGIN + index / 2 * (side + CAPTION + MARGIN);
        draw_text_mut(&mut figure, probe.color, x as i32, y as i32, 19.0, &font, &probe.caption);
        imageops::replace(&mut figure, &close_up(photo, probe, &field), i64::from(x), i64::from(y + CAPTION));
    }
    Ok(figure)
}

fn close_up(photo: &RgbImage, probe: &Probe, field: impl Fn(Place, Place) -> Place) -> RgbImage {
    let zoom = ZOOM * OVERSAMPLING;
    let side = CLOSE_UP * zoom;
    let first = probe.pixel.map(|place| place - CLOSE_UP / 2);
    let crop = imageops::crop_imm(photo, first[1], first[0], CLOSE_UP, CLOSE_UP).to_image();
    let mut close_up = dimmed(&imageops::resize(&crop, side, side, FilterType::Nearest), 0.2);
    // Positions refer to the middle of a pixel, hence the 0.5.
    let at = |place: Place| [0, 1].map(|axis| (place[axis] - first[axis] as f32 + 0.5) * zoom as f32);
    let pixel = probe.pixel.map(|place| place as f32);
    let taps = (-1..=1).flat_map(|i| (-1..=1).map(move |j| [i as f32, j as f32]));
    let pairs: Vec<_> = taps.map(|tap| (at([pixel[0] + tap[0], pixel[1] + tap[1]]), at(field(pixel, tap)))).collect();
    for (regular, _) in &pairs {
        let [y, x] = regular.map(|place| (place - zoom as f32 / 2.0) as i32);
        for inset in 0..2 * OVERSAMPLING as i32 {
            let size = zoom - 2 * inset as u32;
            draw_hollow_rect_mut(&mut close_up, Rect::at(x + inset, y + inset).of_size(size, size), WHITE);
        }
    }
    for (regular, deformed) in &pairs {
        thick_line(&mut close_up, *regular, *deformed, probe.color);
    }
    for (_, deformed) in &pairs {
        let [y, x] = deformed.map(|place| place.round() as i32);
        draw_filled_circle_mut(&mut close_up, (x, y), 6 * OVERSAMPLING as i32, INK);
        draw_filled_circle_mut(&mut close_up, (x, y), 5 * OVERSAMPLING as i32, probe.color);
    }
    imageops::resize(&close_up, CLOSE_UP * ZOOM, CLOSE_UP * ZOOM, FilterType::Triangle)
}

fn thick_line(image: &mut RgbImage, from: Place, to: Place, color: Rgb<u8>) {
    for dy in -3..=3 {
        for dx in -3..=3 {
            let shift = |[y, x]: Place| (x.round() as i32 + dx, y.round() as i32 + dy);
            draw_antialiased_line_segment_mut(image, shift(from), shift(to), color, interpolate);
        }
    }
}

/// Darkens the image, so that marks drawn on it stand out.
fn dimmed(image: &RgbImage, by: f32) -> RgbImage {
    imageproc::map::map_subpixels(image, |value| (f32::from(value) * (1.0 - by)) as u8)
}
