//! `deform demo`: what deformable convolution does, for someone who has never met it.

mod article;
mod fields;
mod photo;
mod picture;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{DeformConv2d, Gpu};
use image::{Rgb, RgbImage};

use self::fields::{Grain, focus, offsets, swirl};
use self::picture::{Probe, panels};
use crate::accuracy::Bounds;
use crate::bench::layers;
use crate::case::{self, Case};
use crate::info;
use crate::timing::{Timing, milliseconds};

/// Show what deformable convolution does, in numbers and in pictures.
///
/// Everything is computed on the adapter and checked against the CPU reference.
#[derive(Args)]
pub(crate) struct Demo {
    /// The folder to write the pictures to; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// A 3×3 Gaussian: the weights of its taps add up to 1, so it blurs and does not brighten.
const GAUSSIAN: [f32; 9] =
    [1.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0, 2.0 / 16.0, 4.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0, 2.0 / 16.0, 1.0 / 16.0];

impl Demo {
    pub(crate) fn run(&self) -> Result<()> {
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let gpu = Gpu::new()?;
        let op = DeformConv2d::new(&gpu);
        println!("Deformable convolution, computed on {}.\n", info::describe(gpu.info()));

        println!("1. In numbers\n");
        println!("{}", article::tell(&gpu, &op)?);

        println!("2. In pictures\n");
        let photo = photo::load()?;
        let swirled = photo::filter(&gpu, &op, &photo, &[1.0], vec![offsets(&photo, 1, |pixel, _| swirl(pixel))])?;
        self.save(
            "1_bend.png",
            &panels(&[("The photograph", &photo), ("1x1 kernel, offsets that turn round the middle", &swirled)])?,
            "A 1x1 kernel of weight 1 copies a photograph. With offsets it copies each pixel from somewhere\n\
             else: here from a place turned round the middle of the picture, so the picture swirls.",
        )?;

        let passes = [4.0, 2.0, 1.0].map(|strength| offsets(&photo, 3, |pixel, tap| focus(pixel, tap, strength)));
        let focused = photo::filter(&gpu, &op, &photo, &GAUSSIAN, passes.into())?;
        self.save(
            "2_focus.png",
            &panels(&[("The photograph", &photo), ("3x3 blur, taps spread away from the eye", &focused)])?,
            "A 3x3 kernel has nine taps. These weights blur, and the offsets say how far: at the eye all nine\n\
             taps read the same pixel and it stays sharp; away from it they spread and the picture softens.\n\
             The weights are the same everywhere: only the offsets differ. (Three layers, one after another.)",
        )?;

        let grain = Grain::of(&photo);
        let follow = |pixel, tap| grain.follow(pixel, tap);
        let brushed = photo::filter(&gpu, &op, &photo, &GAUSSIAN, vec![offsets(&photo, 3, follow); 4])?;
        self.save(
            "3_brush.png",
            &panels(&[("The photograph", &photo), ("The same blur, taps that follow the fur", &brushed)])?,
            "Offsets can depend on the picture itself; in a network another convolution computes them. Here they\n\
             turn the kernel so that its taps lie along the fur and along edges, never across. The very same\n\
             blur now paints brush strokes, and outlines stay. (Four layers, one after another.)",
        )?;
        self.save(
            "4_taps.png",
            &picture::taps(&photo, &PROBES, follow)?,
            "Where the nine taps of four output pixels of that last layer read. Hollow squares: the pixels an\n\
             ordinary 3x3 kernel reads. Dots: where the deformed one reads instead.",
        )?;

        println!("3. In time\n");
        println!("{}", race(&gpu, &op)?);
        Ok(())
    }

    fn save(&self, name: &str, picture: &RgbImage, words: &str) -> Result<()> {
        let path: &Path = &self.out.join(name);
        picture.save(path).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}\n{words}\n", path.display());
        Ok(())
    }
}

/// Four places with grain in four directions.
const PROBES: [Probe; 4] = [
    Probe { pixel: [180, 85], caption: "on a stripe of the cheek", color: Rgb([255, 138, 40]) },
    Probe { pixel: [115, 140], caption: "at the rim of the eye", color: Rgb([0, 170, 255]) },
    Probe { pixel: [232, 118], caption: "on a whisker", color: Rgb([60, 200, 80]) },
    Probe { pixel: [245, 281], caption: "at the edge of the nose", color: Rgb([240, 70, 200]) },
];

/// One layer on the device beside the same layer in the reference's plain loops, found equal first.
fn race(gpu: &Gpu, op: &DeformConv2d) -> Result<String> {
    // Small enough for the reference to finish while somebody watches.
    let layer = layers::square("demo", 64, [28, 28]);
    let case = Case::new(layer.name, layer.operands(), layer.options());
    let inputs = case::upload(gpu, &case.operands)?;
    let inputs = inputs.map(|tensor| tensor);
    let (timing, output) = Timing::measure(gpu, 5, 10.0, || op.forward(&inputs, case.options))?;
    let start = Instant::now();
    let want = Reference::new(&case.geometry()?, case.values())?.forward();
    let reference_ms = milliseconds(start.elapsed());
    let comparison = Bounds::new(&case)?.compare(&output.download()?, &want);
    comparison.check("the CPU reference's")?;
    Ok(format!(
        "A layer of {} -> {} channels, 3x3, on {} by {} pixels takes {:.1} ms on this adapter.\n\
         The CPU reference, plain loops in one thread, takes {:.0} ms, {:.0} times as long.\n\
         Their outputs agree to {:.1e}, {:.3} of the bound for f32 sums of this length.",
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
