//! A `DeformableConv2d` learns to align two pictures: `cargo run --release --example learn_alignment`.
//!
//! Without files it takes a photograph and a copy that the operator has bent. The layer's input is the bent picture and
//! a basis of smooth functions of the position. The generator computes an offset for every pixel from this input, and
//! only the generator learns: its weights are the coefficients of the offset field. The loss is the mean squared
//! difference from the photograph. It compares blurred pictures first and sharp ones last, because the gradient of a
//! blurred picture also points to structures that are several pixels away.

mod pictures;
mod scene;

use std::path::PathBuf;

use clap::Parser;
use deform::layers::{DeformableConv2d, DeformableConv2dOptions, Generator, Mask};
use deform::ops::deform_conv2d::{Geometry, Mode};
use deform::ops::optimizer::{Group, Optimizer, Rule};
use deform::ops::statistics::{OffsetMagnitude, Statistics};
use deform::{DeformConv2d, Dtype, Gpu, Inputs, Options, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use scene::{BASIS, Scene};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Learn to align two pictures of one scene with a deformable convolution.
#[derive(Parser)]
struct Arguments {
    /// The picture to align [default: a bent copy of the photograph]
    #[arg(long, value_name = "FILE", requires = "to")]
    from: Option<PathBuf>,
    /// The picture to align it to [default: a photograph]
    #[arg(long, value_name = "FILE", requires = "from")]
    to: Option<PathBuf>,
    /// The folder for the pictures that the program writes
    #[arg(long, value_name = "DIR", default_value = "target/alignment")]
    out: PathBuf,
    /// The random seed of the bend
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The number of steps for each of the three blurs
    #[arg(long, default_value_t = 120)]
    steps: usize,
}

/// The standard deviations of the blurs in pixels, in the order of use.
const BLURS: [f32; 3] = [4.0, 1.5, 0.0];
/// The learning rate of the generator's parameters, in pixels.
const LEARNING_RATE: f32 = 0.1;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let gpu = Gpu::new()?;
    let operator = DeformConv2d::new(&gpu);
    let scene = match arguments.from.as_deref().zip(arguments.to.as_deref()) {
        Some((from, to)) => Scene::read(from, to)?,
        None => Scene::bent(&operator, arguments.seed)?,
    };
    println!("{}×{} pixels on {}", scene.width, scene.height, gpu.info().name);
    let layer = layer(&operator)?;
    let learned = learn(&gpu, &layer, &scene, arguments.steps)?;

    let before = scene.psnr(&scene.from);
    let after = scene.psnr(&learned.aligned);
    let OffsetMagnitude { offset, outside } = learned.magnitude;
    println!(
        "|offset| {:.2} pixels in the mean, {:.2} at most; {:.1} % of the taps outside the image",
        offset.mean,
        offset.largest,
        100.0 * outside
    );
    println!("PSNR {before:.2} dB before, {after:.2} dB after");
    pictures::write(&arguments.out, &scene, &learned)?;
    println!("pictures written to {}", arguments.out.display());
    if after <= before {
        return Err("the training did not bring the pictures closer".into());
    }
    Ok(())
}

/// Makes a 1×1 layer that copies the picture, each pixel from the position that the offset determines. Its generator
/// computes the two offset channels from all channels of the input.
fn layer(operator: &DeformConv2d) -> deform::Result<DeformableConv2d> {
    let options = DeformableConv2dOptions {
        mask: Mask::None,
        bias: false,
        generator: Generator { kernel_size: [1, 1], padding: [0, 0], dilation: [1, 1] },
        ..DeformableConv2dOptions::new(3 + BASIS, 3, [1, 1])
    };
    let layer = DeformableConv2d::new(operator, options, 0)?;
    let weight: Vec<f32> =
        (0..3 * (3 + BASIS)).map(|n| f32::from(u8::from(n / (3 + BASIS) == n % (3 + BASIS)))).collect();
    layer.regular_conv.weight().value().write(&weight)?;
    Ok(layer)
}

/// The results of the training.
struct Learned {
    /// The sharp picture, aligned: `[3, height, width]` in 0 … 1.
    aligned: Vec<f32>,
    /// `[y|x, height, width]`, in pixels.
    offset: Vec<f32>,
    magnitude: OffsetMagnitude,
    losses: Vec<f64>,
}

fn learn(gpu: &Gpu, layer: &DeformableConv2d, scene: &Scene, steps: usize) -> Result<Learned> {
    let Scene { height, width, .. } = *scene;
    let variables = layer.generator_parameters().into_iter().map(|(_, parameter)| parameter.variable()).collect();
    let mut optimizer = Optimizer::new(gpu, Rule::ADAM, vec![Group { variables, learning_rate: LEARNING_RATE }])?;
    let statistics = Statistics::new(gpu);
    let shapes = Inputs {
        input: vec![1, 3 + BASIS, height, width],
        offset: vec![1, 2, height, width],
        weight: vec![3, 3 + BASIS, 1, 1],
        mask: None,
        bias: None,
    };
    let geometry = Geometry::new(shapes.map(Vec::as_slice), &Options::default())?;
    let grad_output = Tensor::new(gpu, [1, 3, height, width], Dtype::F32)?;
    let bar = ProgressBar::new((BLURS.len() * steps) as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} [{elapsed}]")?);

    let mut losses = Vec::new();
    let mut magnitude = OffsetMagnitude::default();
    for (stage, blur) in BLURS.into_iter().enumerate() {
        let input = Tensor::upload(gpu, &shapes.input, &scene.input(&scene::blurred(scene, &scene.from, blur)))?;
        let target = scene::blurred(scene, &scene.to, blur);
        for step in 0..steps {
            // The learning rate falls linearly within a stage.
            let rest = 1.0 - step as f32 / steps as f32;
            optimizer.learning_rates().for_each(|rate| *rate = LEARNING_RATE * rest / (1 + stage) as f32);
            let forward = layer.forward(&input)?;
            let (loss, gradient) = scene.loss(&forward.output.download::<f32>()?, &target);
            grad_output.write(&gradient)?;
            layer.backward(&input, &forward, &grad_output, Mode::Write)?;
            optimizer.step()?;
            losses.push(loss);
            if step % 10 == 0 || step + 1 == steps {
                magnitude = statistics.offset(&geometry, &forward.offset)?;
                let deform::ops::statistics::Magnitude { mean, largest, .. } = magnitude.offset;
                bar.set_message(format!("loss {loss:.2e}, |offset| {mean:.2}, at most {largest:.2}"));
            }
            bar.inc(1);
        }
    }
    bar.finish();
    let input = Tensor::upload(gpu, &shapes.input, &scene.input(&scene.from))?;
    let forward = layer.forward(&input)?;
    let magnitude = if losses.is_empty() { magnitude } else { statistics.offset(&geometry, &forward.offset)? };
    Ok(Learned { aligned: forward.output.download()?, offset: forward.offset.download()?, magnitude, losses })
}
