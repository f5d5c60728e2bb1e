//! `deform demo`: explains deformable convolution with numbers, pictures and times.

mod article;
mod fields;
mod photo;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{DeformConv2d, Gpu};
use deform_case::{Comparison, ErrorBounds};
use image::{ImageFormat, RgbImage};

use self::fields::{Grain, focus, offsets, swirl};
use self::photo::Photo;
use crate::bench::layers;
use crate::case::Case;
use crate::info;
use crate::out::Out;
use crate::picture::{self, panels};
use crate::timing::{Timing, milliseconds};

/// Show what deformable convolution does, in numbers and in pictures.
///
/// Everything is computed on the adapter. The numbers are checked against torchvision's output, the first layer of each
/// picture and the timed layer against the CPU reference.
#[derive(Args)]
pub(crate) struct Demo {
    /// The folder to write the pictures to; created if it does not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A JPEG or PNG file to use instead of the built-in photograph; scaled down to 640 pixels on its longer side if it
    /// is larger
    #[arg(long, value_name = "FILE")]
    photo: Option<PathBuf>,
}

/// A 3×3 Gaussian. Its weights add up to 1, so that it does not change the brightness.
const GAUSSIAN: [f32; 9] =
    [1.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0, 2.0 / 16.0, 4.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0];

impl Demo {
    pub(crate) fn run(&self) -> Result<()> {
        let Photo { image, sharp, sharp_name, probes } = match &self.photo {
            Some(path) => Photo::read(path)?,
            None => Photo::chelsea()?,
        };
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        let gpu = Gpu::new()?;
        let op = DeformConv2d::new(&gpu);
        println!("Deformable convolution, computed on {}.\n", info::describe(gpu.info()));

        println!("1. In numbers\n");
        println!("{}", article::explain(&gpu, &op)?);

        println!("2. In pictures\n");
        let turned = offsets(&image, 1, |pixel, _| swirl(&image, pixel));
        let swirled = photo::filter(&gpu, &op, &image, &[1.0], vec![turned])?;
        self.save(
            "1_bend.png",
            &panels(&[("The photograph", &image), ("1x1 kernel, offsets that turn around the middle", &swirled)])?,
            "A 1x1 kernel of weight 1 copies a photograph. With offsets it copies each pixel from another\n\
             position. Here the positions are turned around the middle of the picture, which makes a swirl.",
        )?;

        let passes =
            [4.0, 2.0, 1.0].map(|strength| offsets(&image, 3, |pixel, tap| focus(&image, sharp, pixel, tap, strength)));
        let focused = photo::filter(&gpu, &op, &image, &GAUSSIAN, passes.into())?;
        let caption = format!("3x3 blur, taps spread away from {sharp_name}");
        self.save(
            "2_focus.png",
            &panels(&[("The photograph", &image), (&caption, &focused)])?,
            &format!(
                "A 3x3 kernel has nine taps. The weights blur, and the offsets determine by how much: at {sharp_name}\n\
                 all nine taps read the same pixel, which stays sharp; further away the taps spread, which blurs more.\n\
                 The weights are the same everywhere, only the offsets differ. (Three layers, one after another.)"
            ),
        )?;

        let grain = Grain::of(&image);
        let follow = |pixel, tap| grain.follow(pixel, tap);
        let brushed = photo::filter(&gpu, &op, &image, &GAUSSIAN, vec![offsets(&image, 3, follow); 4])?;
        self.save(
            "3_brush.png",
            &panels(&[("The photograph", &image), ("The same blur, taps that follow the grain", &brushed)])?,
            "Offsets can depend on the picture itself; in a network another convolution computes them. Here they\n\
             turn the kernel so that its taps lie along hair and along edges, not across them. The same blur\n\
             now looks like brush strokes, and outlines stay sharp. (Four layers, one after another.)",
        )?;
        self.save(
            "4_taps.png",
            &picture::taps(&image, &probes, follow)?,
            "The positions that the nine taps of four output pixels read in one of these layers. Hollow squares:\n\
             the pixels that an ordinary 3x3 kernel reads. Dots: the positions that the deformed kernel reads.",
        )?;

        println!("3. In time\n");
        println!("{}", race(&gpu, &op)?);
        Ok(())
    }

    fn save(&self, name: &str, picture: &RgbImage, words: &str) -> Result<()> {
        let path: &Path = &self.out.join(name);
        let photo: Vec<_> = self.photo.as_deref().into_iter().collect();
        Out::new(path, &photo)?.write_picture(picture, ImageFormat::Png)?;
        println!("{}\n{words}\n", path.display());
        Ok(())
    }
}

/// Times one layer on the device and in the CPU reference, and checks that the outputs agree.
fn race(gpu: &Gpu, op: &DeformConv2d) -> Result<String> {
    // The layer is small because the reference is slow.
    let layer = layers::square("demo", 64, [28, 28]);
    let case = Case::new(layer.name, layer.operands(), layer.options());
    let inputs = deform_case::upload(gpu, &case.operands)?;
    let inputs = inputs.as_ref();
    let (timing, output) = Timing::measure(gpu, 5, 10.0, || op.forward(&inputs, case.options))?;
    let geometry = case.geometry()?;
    let reference = Reference::new(&geometry, case.values())?;
    let start = Instant::now();
    let want = reference.forward();
    let reference_ms = milliseconds(start.elapsed());
    let comparison = Comparison::of(&output.download()?, &want, ErrorBounds::new(reference).output());
    comparison.check("the CPU reference")?;
    Ok(format!(
        "A layer of {} -> {} channels, 3x3, on {} by {} pixels takes {:.1} ms on this adapter.\n\
         The CPU reference, plain loops in one thread, takes {:.0} ms, {:.0} times as long.\n\
         The outputs differ by at most {:.1e}; the worst element is at {:.3} of the bound for its f32 sum.",
        layer.in_channels,
        layer.out_channels,
        layer.size[0],
        layer.size[1],
        timing.median(),
        reference_ms,
        reference_ms / timing.median(),
        comparison.max_abs_error,
        comparison.worst_ratio,
    ))
}
