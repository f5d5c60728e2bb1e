//! The pictures that the example writes.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::scene::Scene;
use crate::{Learned, Result};

const FONT: &[u8] = include_bytes!("../../cli/assets/DejaVuSans-ascii.ttf");
/// The file pixels along each side of one picture pixel.
const SCALE: u32 = 3;
/// The picture pixels between two arrows.
const SPACING: usize = 12;

/// Writes before.png, after.png, target.png, difference.png, offset.png and loss.png.
pub(crate) fn write(folder: &Path, scene: &Scene, learned: &Learned) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    register_font("sans-serif", FontStyle::Normal, FONT).map_err(|_| "the font cannot be registered")?;
    let picture = |values: &[f32]| image(scene, |at| values[at]);
    let difference = |values: &[f32]| image(scene, |at| 2.0 * (values[at] - scene.to[at]).abs());
    picture(&scene.from)?.save(folder.join("before.png"))?;
    picture(&learned.aligned)?.save(folder.join("after.png"))?;
    picture(&scene.to)?.save(folder.join("target.png"))?;
    // The difference before on the left and after on the right, at twice its brightness.
    let (before, after) = (difference(&scene.from)?, difference(&learned.aligned)?);
    let mut both = RgbImage::new(before.width() + after.width(), before.height());
    imageops::replace(&mut both, &before, 0, 0);
    imageops::replace(&mut both, &after, i64::from(before.width()), 0);
    both.save(folder.join("difference.png"))?;
    offsets(&folder.join("offset.png"), scene, learned, &picture(&scene.to)?)?;
    losses(&folder.join("loss.png"), &learned.losses)
}

/// Removes the digits behind the point.
#[expect(clippy::cast_possible_truncation, reason = "a number beyond i32 becomes the nearest")]
fn whole(value: f32) -> i32 {
    value as i32
}

fn image(scene: &Scene, value: impl Fn(usize) -> f32) -> Result<RgbImage> {
    let (height, width) = (scene.height, scene.width);
    let (rows, columns) = (u32::try_from(height)?, u32::try_from(width)?);
    let byte = |value: f32| u8::try_from(whole((255.0 * value).round()).clamp(0, 255)).unwrap_or(u8::MAX);
    let small = RgbImage::from_fn(columns, rows, |x, y| {
        let at = |plane| (plane * height + y as usize) * width + x as usize;
        Rgb([0, 1, 2].map(|plane| byte(value(at(plane)))))
    });
    Ok(imageops::resize(&small, columns * SCALE, rows * SCALE, FilterType::Nearest))
}

/// Draws the offsets as arrows over the faded picture. An arrow points to the position that its pixel was read from.
fn offsets(path: &Path, scene: &Scene, learned: &Learned, picture: &RgbImage) -> Result<()> {
    let (height, width) = (scene.height, scene.width);
    let root = BitMapBackend::new(path, picture.dimensions()).into_drawing_area();
    root.fill(&WHITE)?;
    for (x, y, Rgb(pixel)) in picture.enumerate_pixels() {
        let [r, g, b] = pixel.map(|value| 255 - (255 - value) / 3);
        root.draw_pixel((x.try_into()?, y.try_into()?), &RGBColor(r, g, b))?;
    }
    let arrow = BLACK.stroke_width(2);
    for (y, x) in
        (SPACING / 2..height).step_by(SPACING).flat_map(|y| (SPACING / 2..width).step_by(SPACING).map(move |x| (y, x)))
    {
        let offset = |axis: usize| learned.offset[(axis * height + y) * width + x];
        let place = |y: f32, x: f32| (whole((x + 0.5) * SCALE as f32), whole((y + 0.5) * SCALE as f32));
        let (down, right) = (offset(0), offset(1));
        let (y, x) = (y as f32, x as f32);
        let tip = (y + down, x + right);
        // The head is two strokes back from the tip, a third as long as the arrow, at 30° to either side.
        let head = |angle: f32| {
            let (sin, cos) = angle.to_radians().sin_cos();
            (tip.0 - (cos * down + sin * right) / 3.0, tip.1 - (cos * right - sin * down) / 3.0)
        };
        for (from, to) in [((y, x), tip), (head(30.0), tip), (head(-30.0), tip)] {
            root.draw(&PathElement::new([place(from.0, from.1), place(to.0, to.1)], arrow))?;
        }
    }
    root.present()?;
    Ok(())
}

fn losses(path: &Path, losses: &[f64]) -> Result<()> {
    let root = BitMapBackend::new(path, (900, 540)).into_drawing_area();
    root.fill(&WHITE)?;
    let positive = losses.iter().copied().filter(|loss| *loss > 0.0);
    let (least, most) =
        positive.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), loss| (least.min(loss), most.max(loss)));
    let least = least.min(most);
    let mut chart = ChartBuilder::on(&root)
        .caption("Mean squared error", ("sans-serif", 24))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(80)
        .build_cartesian_2d(0..losses.len().max(1), (least * 0.8..most * 1.25).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("step (the blur decreases twice)")
        .y_label_formatter(&|loss| format!("{loss:.0e}"))
        .label_style(("sans-serif", 15))
        .draw()?;
    chart.draw_series(LineSeries::new(losses.iter().map(|loss| loss.max(least)).enumerate(), &BLUE))?;
    root.present()?;
    Ok(())
}
