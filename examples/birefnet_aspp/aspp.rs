//! BiRefNet's `ASPPDeformable` in inference, built from this crate's layers. The block has four deformable branches
//! with kernels of 1, 1, 3 and 7, and a branch that pools the image. A 1×1 convolution mixes the concatenated outputs
//! of the branches.
//!
//! ```text
//! branch = relu(bn(deformable_conv2d(input)))          pooled = relu(bn(conv1x1(mean(input))))
//! output = relu(bn(conv1x1([branch, branch, branch, branch, pooled])))
//! ```
//!
//! In inference a batch norm multiplies each channel by a factor and adds a constant, both of which are folded into the
//! weights and biases when the state is loaded. The output of the pooled branch is the same for all pixels, so its part
//! of the last convolution is added as that convolution's bias.

use deform::layers::{DeformableConv2d, DeformableConv2dOptions, Generator, HostTensor, Mask, State};
use deform::ops::activation::{Activate, Activation};
use deform::ops::conv2d::{self, Conv2d};
use deform::{DeformConv2d, Dtype, Error, Gpu, Options, Result, Tensor};

/// The channels of the input and of the output.
pub(crate) const CHANNELS: usize = 64;
/// The output channels of each branch.
const PLANES: usize = 256;
/// The kernel sizes of the deformable branches.
const KERNELS: [usize; 4] = [1, 1, 3, 7];
/// The epsilon of `torch.nn.BatchNorm2d`.
const EPSILON: f32 = 1e-5;

/// The block with its weights on the device.
pub(crate) struct AsppDeformable {
    gpu: Gpu,
    branches: Vec<DeformableConv2d>,
    activate: Activate,
    conv2d: Conv2d,
    /// The weight and bias of the pooled branch.
    pool: (Tensor, Tensor),
    /// The last convolution's weights for the deformable branches.
    mix: Tensor,
    /// The last convolution's weights for the pooled branch, and its bias.
    mix_pooled: (Tensor, Tensor),
}

impl AsppDeformable {
    /// Builds the block with the parameters of a PyTorch state dict.
    pub(crate) fn new(gpu: &Gpu, state: &State) -> Result<Self> {
        let operator = DeformConv2d::new(gpu);
        let branch = |(n, kernel): (usize, usize)| {
            let module = if n == 0 { "aspp1".to_owned() } else { format!("aspp_deforms.{}", n - 1) };
            let conv = format!("{module}.atrous_conv.");
            let padding = [kernel / 2; 2];
            let options = DeformableConv2dOptions {
                mask: Mask::TwiceSigmoid,
                generator: Generator { kernel_size: [kernel; 2], padding, dilation: [1, 1] },
                deform: Options { padding, ..Options::default() },
                ..DeformableConv2dOptions::new(CHANNELS, PLANES, [kernel; 2])
            };
            let layer = DeformableConv2d::new(&operator, options, 0)?;
            let mut state = state.clone();
            let (weight, bias) = folded(&state, &format!("{conv}regular_conv"), &format!("{module}.bn"))?;
            state.tensors.insert(format!("{conv}regular_conv.weight"), weight);
            state.tensors.insert(format!("{conv}regular_conv.bias"), bias);
            layer.load(&state, &conv)?;
            Ok(layer)
        };
        let upload = |tensor: &HostTensor| Tensor::upload(gpu, &tensor.shape, &tensor.values);
        let (pool_weight, pool_bias) = folded(state, "global_avg_pool.1", "global_avg_pool.2")?;
        let (mix, mix_bias) = folded(state, "conv1", "bn1")?;
        let columns = KERNELS.len() * PLANES;
        let part = |range: std::ops::Range<usize>| HostTensor {
            shape: vec![CHANNELS, range.len(), 1, 1],
            values: mix.values.chunks(mix.shape[1]).flat_map(|row| &row[range.clone()]).copied().collect(),
        };
        Ok(Self {
            gpu: gpu.clone(),
            branches: KERNELS.into_iter().enumerate().map(branch).collect::<Result<_>>()?,
            activate: Activate::new(gpu),
            conv2d: Conv2d::new(operator.gpu()),
            pool: (upload(&pool_weight)?, upload(&pool_bias)?),
            mix: upload(&part(0..columns))?,
            mix_pooled: (upload(&part(columns..columns + PLANES))?, upload(&mix_bias)?),
        })
    }

    /// Computes the block for one image, `[1, 64, height, width]`.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let &[1, CHANNELS, height, width] = input.shape() else {
            let because = "one image of 64 channels";
            let got = input.shape().get(1).copied().unwrap_or(0);
            return Err(Error::Axis { operand: "input", axis: 1, expected: CHANNELS, got, because });
        };
        let pixels = height * width;
        let relu = conv2d::Options { activation: Activation::Relu, ..conv2d::Options::default() };

        let mut branches = Vec::new();
        for layer in &self.branches {
            let output = layer.forward(input)?.output;
            self.activate.forward(&output, Activation::Relu)?;
            branches.push(output);
        }

        // The mean is computed as a depthwise convolution with a kernel as large as the image.
        let mean =
            Tensor::upload(&self.gpu, [CHANNELS, 1, height, width], &vec![1.0 / pixels as f32; CHANNELS * pixels])?;
        let of = |input, weight, bias| conv2d::Inputs { input, weight, bias };
        let mean = self.conv2d.forward(&of(input, &mean, None), conv2d::Options::default())?;
        let pooled = self.conv2d.forward(&of(&mean, &self.pool.0, Some(&self.pool.1)), relu)?;
        let mixed =
            self.conv2d.forward(&of(&pooled, &self.mix_pooled.0, Some(&self.mix_pooled.1)), Default::default())?;
        let bias = Tensor::from_buffer(&self.gpu, mixed.buffer().clone(), 0, [CHANNELS], Dtype::F32)?;

        let all = side_by_side(&self.gpu, &branches, [1, KERNELS.len() * PLANES, height, width])?;
        self.conv2d.forward(&of(&all, &self.mix, Some(&bias)), relu)
    }
}

/// Concatenates the tensors along the channels, like `torch.cat`. For a batch of one image their buffers follow one
/// another.
fn side_by_side(gpu: &Gpu, parts: &[Tensor], shape: [usize; 4]) -> Result<Tensor> {
    let all = Tensor::new(gpu, shape, Dtype::F32)?;
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    let mut at = 0;
    for part in parts {
        encoder.copy_buffer_to_buffer(part.buffer(), part.offset(), all.buffer(), at, part.bytes());
        at += part.bytes();
    }
    gpu.queue().submit([encoder.finish()]);
    Ok(all)
}

/// Folds a batch norm into the preceding convolution, which has no bias. Returns the weight and bias of the result.
fn folded(state: &State, conv: &str, norm: &str) -> Result<(HostTensor, HostTensor)> {
    let of = |name: &str| state.get(&format!("{norm}.{name}")).map(|tensor| &tensor.values);
    let (weight, bias, mean, variance) = (of("weight")?, of("bias")?, of("running_mean")?, of("running_var")?);
    let factors: Vec<f32> = weight.iter().zip(variance).map(|(weight, v)| weight / (v + EPSILON).sqrt()).collect();
    let mut folded = state.get(&format!("{conv}.weight"))?.clone();
    let row = folded.values.len() / factors.len();
    folded.values.chunks_mut(row).zip(&factors).for_each(|(row, factor)| row.iter_mut().for_each(|w| *w *= factor));
    let terms = bias.iter().zip(mean).zip(&factors).map(|((bias, mean), factor)| bias - mean * factor).collect();
    Ok((folded, HostTensor { shape: vec![factors.len()], values: terms }))
}

/// Returns `count` numbers in ±1 from a hash of name and index, the same as `values` in tests/golden/birefnet_aspp.py
/// with a bound of 1.
pub(crate) fn values(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = name.bytes().fold(0x811C_9DC5u32, |seed, byte| (seed ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0u32..).take(count).map(move |n| {
        let mut x = n.wrapping_mul(0x9E37_79B1).wrapping_add(seed);
        for _ in 0..2 {
            x ^= x >> 16;
            x = x.wrapping_mul(0x045D_9F3B);
        }
        x ^= x >> 16;
        f64::from(x) / 2_147_483_648.0 - 1.0
    })
}

#[expect(clippy::cast_possible_truncation, reason = "it is rounded, and no other conversion exists")]
fn rounded(value: f64) -> f32 {
    value as f32
}

/// Returns the state dict that tests/golden/birefnet_aspp.py gives to its block.
pub(crate) fn state() -> State {
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    let norm = |name: &str, channels: usize, shapes: &mut Vec<_>| {
        ["weight", "bias", "running_mean", "running_var"]
            .into_iter()
            .for_each(|part| shapes.push((format!("{name}.{part}"), vec![channels])));
    };
    for (n, kernel) in KERNELS.into_iter().enumerate() {
        let module = if n == 0 { "aspp1".to_owned() } else { format!("aspp_deforms.{}", n - 1) };
        let taps = kernel * kernel;
        for (conv, channels) in [("offset_conv", 2 * taps), ("modulator_conv", taps), ("regular_conv", PLANES)] {
            let conv = format!("{module}.atrous_conv.{conv}");
            shapes.push((format!("{conv}.weight"), vec![channels, CHANNELS, kernel, kernel]));
            if channels != PLANES {
                shapes.push((format!("{conv}.bias"), vec![channels]));
            }
        }
        norm(&format!("{module}.bn"), PLANES, &mut shapes);
    }
    shapes.push(("global_avg_pool.1.weight".into(), vec![PLANES, CHANNELS, 1, 1]));
    norm("global_avg_pool.2", PLANES, &mut shapes);
    shapes.push(("conv1.weight".into(), vec![CHANNELS, 5 * PLANES, 1, 1]));
    norm("bn1", CHANNELS, &mut shapes);
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let noise = values(&name, shape.iter().product()).map(rounded);
        let is_norm = ["bn.weight", "bn1.weight", "global_avg_pool.2.weight"].iter().any(|end| name.ends_with(end));
        let values = if name.ends_with("running_var") {
            noise.map(|noise| 1.0 + 0.5 * noise).collect()
        } else if is_norm {
            noise.map(|noise| 1.0 + 0.25 * noise).collect()
        } else if shape.len() == 1 {
            noise.map(|noise| 0.25 * noise).collect()
        } else {
            let fan_in = shape[1..].iter().product::<usize>() as f64;
            let scale = if name.contains("offset_conv") { 4.0 } else { 1.5 };
            noise.map(|noise| rounded(f64::from(noise) * (scale / fan_in.sqrt()))).collect()
        };
        (name, HostTensor { shape, values })
    });
    State { tensors: tensors.collect(), ..State::default() }
}

/// Returns the input that tests/golden/birefnet_aspp.py uses, one image of the given size.
pub(crate) fn input(gpu: &Gpu, height: usize, width: usize) -> Result<Tensor> {
    let values: Vec<f32> = values("input", CHANNELS * height * width).map(rounded).collect();
    Tensor::upload(gpu, [1, CHANNELS, height, width], &values)
}
