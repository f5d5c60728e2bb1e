//! `deform run` of the operators around deform_conv2d: the layer with its generator, CycleFC, channel shifts, ordinary convolution.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use deform::layers::{
    CycleFc, DeformableConv2d, DeformableConv2dOptions, Generator, HostTensor, Mask, Parameter, State,
};
use deform::ops::conv2d::{self, Activation, Conv2d};
use deform::ops::deform_conv2d::Mode;
use deform::ops::shift::{Border, ChannelShift, as_mlp, s2_mlp_v1, s2_mlp_v2};
use deform::{DeformConv2d, Gpu, Options, Tensor};
use safetensors::SafeTensors;

use crate::Operator;
use crate::accuracy::{Comparison, Mismatch};
use crate::case::{self, Answer};

/// The bound in words, for `--help`.
pub(crate) const BOUND: &str = "\
The bound of an element of the other operators' results is 1e-4 of the answer's largest element.";
const SHARE_OF_LARGEST: f64 = 1e-4;

/// A result: its name, and its tensor.
type Results = Vec<(String, HostTensor)>;

/// What a file holds: f32 operands, metadata, and answers.
pub(crate) struct File {
    operands: State,
    metadata: HashMap<String, String>,
    answers: BTreeMap<String, Answer>,
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&bytes).with_context(|| format!("{} is not a case", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).context("the file is not a safetensors file")?;
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let mut answers = BTreeMap::new();
        let is_answer = |name: &&str| *name == "output" || name.starts_with("grad_") && *name != "grad_output";
        for name in file.names().into_iter().filter(is_answer) {
            let exact = format!("exact.{name}");
            let answer = case::answer(&file, [&exact, name])?;
            answers.extend(answer.map(|answer| (name.to_owned(), answer)));
        }
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { operands: State::from_safetensors(bytes)?, metadata, answers })
    }

    fn has(&self, name: &str) -> bool {
        self.operands.tensors.contains_key(name)
    }

    fn host(&self, name: &str) -> Result<&HostTensor> {
        self.operands.tensors.get(name).with_context(|| format!("operand {name} is missing"))
    }

    fn shape(&self, name: &str) -> Result<[usize; 4]> {
        let shape = &self.host(name)?.shape;
        shape.as_slice().try_into().with_context(|| format!("{name} has shape {shape:?}, expected four axes"))
    }

    fn upload(&self, gpu: &Gpu, name: &str) -> Result<Tensor> {
        let HostTensor { shape, values } = self.host(name)?;
        Ok(Tensor::upload(gpu, shape, values)?)
    }

    /// The operands under other names.
    fn renamed(&self, names: &[(&str, &str)]) -> State {
        let tensors =
            names.iter().filter_map(|(to, from)| Some(((*to).to_owned(), self.operands.tensors.get(*from)?.clone())));
        State { tensors: tensors.collect() }
    }

    /// "h,w", or one number for both.
    fn pair(&self, key: &str, default: [usize; 2]) -> Result<[usize; 2]> {
        match self.metadata.get(key).map(|text| text.trim().parse()) {
            Some(Ok(both)) => Ok([both; 2]),
            _ => case::pair(&self.metadata, key, default),
        }
    }

    fn number(&self, key: &str, default: usize) -> Result<usize> {
        let Some(text) = self.metadata.get(key) else { return Ok(default) };
        text.trim().parse().with_context(|| format!("metadata {key}: got {text:?}, expected a number"))
    }

    fn word(&self, key: &str, default: &'static str) -> &str {
        self.metadata.get(key).map_or(default, |text| text.trim())
    }
}

/// How the work is done.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) algorithm: deform::Algorithm,
    pub(crate) workspace_limit: Option<u64>,
    pub(crate) backward: bool,
}

/// Computes what the file describes.
pub(crate) fn compute(gpu: &Gpu, operator: Operator, file: &File, how: How) -> Result<Results> {
    match operator {
        Operator::DeformableConv2d => deformable_conv2d(gpu, file, how),
        Operator::CycleFc => cycle_fc(gpu, file, how),
        Operator::Shift => shift(gpu, file, how),
        Operator::Conv2d => conv2d(gpu, file, how),
        Operator::DeformConv2d => bail!("deform_conv2d has a file of its own kind"),
    }
}

/// Compares what the file has answers to.
pub(crate) fn compare(file: &File, results: &Results) -> Result<Vec<(String, Comparison)>> {
    let mut comparisons = Vec::new();
    for (name, result) in results {
        let Some(answer) = file.answers.get(name) else { continue };
        let got = &result.shape;
        let mismatch = || Mismatch(format!("{name} has shape {got:?}, the file's has {:?}", answer.shape));
        ensure!(answer.shape == *got, mismatch());
        let largest = answer.values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let mut comparison = Comparison::default();
        for (n, (got, want)) in result.values.iter().zip(&answer.values).enumerate() {
            comparison.add(n, f64::from(*got), *want, SHARE_OF_LARGEST * largest);
        }
        comparisons.push((answer.name.clone(), comparison));
    }
    Ok(comparisons)
}

fn host(tensor: &Tensor) -> Result<HostTensor> {
    Ok(HostTensor { shape: tensor.shape().to_vec(), values: tensor.download()? })
}

fn gradients(results: &mut Results, parameters: &[(&str, &Parameter)]) -> Result<()> {
    for (name, parameter) in parameters {
        results.push((format!("grad_{name}"), host(parameter.gradient())?));
    }
    Ok(())
}

fn deform_options(file: &File, how: How) -> Result<Options> {
    let defaults = Options::default();
    Ok(Options {
        stride: file.pair("stride", defaults.stride)?,
        padding: file.pair("padding", defaults.padding)?,
        dilation: file.pair("dilation", defaults.dilation)?,
        algorithm: how.algorithm,
        workspace_limit: how.workspace_limit.unwrap_or(defaults.workspace_limit),
        ..defaults
    })
}

fn deformable_conv2d(gpu: &Gpu, file: &File, how: How) -> Result<Results> {
    let [out_channels, _, height, width] = file.shape("weight")?;
    let [_, _, generator_height, generator_width] = file.shape("generator_weight")?;
    let [_, in_channels, _, _] = file.shape("input")?;
    let generator_kernel = [generator_height, generator_width];
    let options = DeformableConv2dOptions {
        groups: file.number("groups", 1)?,
        offset_groups: file.number("offset_groups", 1)?,
        bias: file.has("bias"),
        mask: match file.word("mask", "sigmoid") {
            "none" => Mask::None,
            "sigmoid" => Mask::Sigmoid,
            "twice_sigmoid" => Mask::TwiceSigmoid,
            other => bail!("metadata mask: got {other:?}, expected none, sigmoid or twice_sigmoid"),
        },
        generator: Generator {
            kernel: generator_kernel,
            padding: file.pair("generator_padding", generator_kernel.map(|size| size / 2))?,
            dilation: file.pair("generator_dilation", [1, 1])?,
        },
        deform: deform_options(file, how)?,
        ..DeformableConv2dOptions::new(in_channels, out_channels, [height, width])
    };
    let layer = DeformableConv2d::new(&DeformConv2d::new(gpu), options, 0)?;
    let names = [
        ("weight", "weight"),
        ("bias", "bias"),
        ("conv_offset.weight", "generator_weight"),
        ("conv_offset.bias", "generator_bias"),
    ];
    layer.load(&file.renamed(&names), "")?;
    let input = file.upload(gpu, "input")?;
    let forward = layer.forward(&input)?;
    let mut results = vec![("output".to_owned(), host(&forward.output)?)];
    if how.backward {
        let grad_input = layer.backward(&input, &forward, &file.upload(gpu, "grad_output")?, Mode::Write)?;
        results.push(("grad_input".to_owned(), host(&grad_input)?));
        gradients(&mut results, &layer.regular_conv.parameters())?;
        // The generator's rows: those that make offsets first.
        let mut generator = BTreeMap::new();
        for (name, parameter) in [Some(&layer.offset_conv), layer.mask_conv.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(|conv| conv.parameters())
        {
            let rows = host(parameter.gradient())?;
            let all =
                generator.entry(name).or_insert_with(|| HostTensor { shape: rows.shape.clone(), values: Vec::new() });
            all.values.extend(rows.values);
            all.shape[0] = all.values.len() / rows.shape[1..].iter().product::<usize>();
        }
        results.extend(generator.into_iter().map(|(name, rows)| (format!("grad_generator_{name}"), rows)));
    }
    Ok(results)
}

fn cycle_fc(gpu: &Gpu, file: &File, how: How) -> Result<Results> {
    let [out_channels, in_channels, _, _] = file.shape("weight")?;
    let kernel = file.pair("kernel_size", [1, 1])?;
    let layer = CycleFc::new(&DeformConv2d::new(gpu), in_channels, out_channels, kernel, file.has("bias"), 0)?;
    layer.load(&file.operands, "")?;
    let input = file.upload(gpu, "input")?;
    let output = layer.forward(&input)?;
    let mut results = vec![("output".to_owned(), host(&output)?)];
    if how.backward {
        let grad_input = layer.backward(&input, &output, &file.upload(gpu, "grad_output")?, Mode::Write)?;
        results.push(("grad_input".to_owned(), host(&grad_input)?));
        gradients(&mut results, &layer.parameters())?;
    }
    Ok(results)
}

fn shift(gpu: &Gpu, file: &File, how: How) -> Result<Results> {
    let input = file.upload(gpu, "input")?;
    let [_, channels, _, _] = file.shape("input")?;
    let shift_size = file.number("shift_size", 5)?;
    let (shifts, border) = match file.word("kind", "roll") {
        "s2v1" => (s2_mlp_v1(channels), Border::Keep),
        "s2v2" => (s2_mlp_v2(channels), Border::Keep),
        "as_h" => (as_mlp(channels, shift_size, 0), Border::Zero),
        "as_w" => (as_mlp(channels, shift_size, 1), Border::Zero),
        "roll" => (s2_mlp_v1(channels), Border::Wrap),
        other => bail!("metadata kind: got {other:?}, expected s2v1, s2v2, as_h, as_w or roll"),
    };
    let operator = ChannelShift::new(gpu, &shifts, border)?;
    let mut results = vec![("output".to_owned(), host(&operator.forward(&input)?)?)];
    if how.backward {
        let grad_input = operator.backward(&file.upload(gpu, "grad_output")?)?;
        results.push(("grad_input".to_owned(), host(&grad_input)?));
    }
    Ok(results)
}

fn conv2d(gpu: &Gpu, file: &File, how: How) -> Result<Results> {
    let Options { stride, padding, dilation, algorithm, workspace_limit, .. } = deform_options(file, how)?;
    let activation = match file.word("activation", "identity") {
        "identity" => Activation::Identity,
        "relu" => Activation::Relu,
        "sigmoid" => Activation::Sigmoid,
        "twice_sigmoid" => Activation::TwiceSigmoid,
        other => bail!("metadata activation: got {other:?}, expected identity, relu, sigmoid or twice_sigmoid"),
    };
    let options = conv2d::Options { stride, padding, dilation, activation, algorithm, workspace_limit };
    let bias = file.has("bias").then(|| file.upload(gpu, "bias")).transpose()?;
    let (input, weight) = (file.upload(gpu, "input")?, file.upload(gpu, "weight")?);
    let inputs = conv2d::Inputs { input: &input, weight: &weight, bias: bias.as_ref() };
    let operator = Conv2d::new(gpu);
    let output = operator.forward(&inputs, options)?;
    let mut results = vec![("output".to_owned(), host(&output)?)];
    if how.backward {
        let grad_output = file.upload(gpu, "grad_output")?;
        let gradients = operator.backward(&inputs, &output, &grad_output, conv2d::Gradients::ALL, options)?;
        let named = [("grad_input", gradients.input), ("grad_weight", gradients.weight), ("grad_bias", gradients.bias)];
        for (name, gradient) in named {
            if let Some(gradient) = gradient {
                results.push((name.to_owned(), host(&gradient)?));
            }
        }
    }
    Ok(results)
}
