//! The operators: the names in their files, and functions that put the operands of a file on the device and return the
//! operator's call on them.

use anyhow::{Context, Result};
use deform::layers::{
    CycleFc, CycleFcOptions, DeformableConv2d, DeformableConv2dOptions, Generator, HostTensor, Layer, Mask, Parameter,
};
use deform::ops::conv2d::{self, Conv2d};
use deform::ops::deform_conv2d::Mode;
use deform::ops::shift::{Border, ChannelShift, as_mlp, s2_mlp_v1, s2_mlp_v2};
use deform::{DeformConv2d, Gpu, Gradients, Inputs, Options, Tensor};

use crate::CaseFile;
use crate::metadata::{ACTIVATIONS, words};
use crate::operator::{GRAD_OUTPUT, Operator, optional, required};

/// A computed result with the name that its expected value has in the file.
pub struct Computed {
    /// `output` or `grad_…`.
    pub name: String,
    /// The tensors that make up the result, concatenated along the first axis.
    parts: Vec<Tensor>,
}

/// A call of an operator whose operands are on the device. It can be repeated, and computes the results anew each time:
/// the output, and then the gradients, if they are wanted.
pub type Call = Box<dyn Fn() -> Result<Vec<Computed>>>;

impl Computed {
    fn new(name: &str, tensor: Tensor) -> Self {
        Self { name: name.to_owned(), parts: vec![tensor] }
    }

    /// Downloads the result to the host.
    ///
    /// # Errors
    /// The same as [`Tensor::download`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn download(&self) -> deform::Result<HostTensor> {
        pollster::block_on(self.download_async())
    }

    /// Downloads the result to the host without blocking.
    ///
    /// # Errors
    /// The same as [`Tensor::download_async`].
    pub async fn download_async(&self) -> deform::Result<HostTensor> {
        let mut whole = HostTensor { shape: self.parts[0].shape().to_vec(), values: Vec::new() };
        whole.shape[0] = self.parts.iter().map(|part| part.shape()[0]).sum();
        for part in &self.parts {
            whole.values.extend(part.download_async::<f32>().await?);
        }
        Ok(whole)
    }
}

/// Uploads the operands of `deform_conv2d` to the device.
///
/// # Errors
/// Returns an error if an operand does not fit the device.
pub fn upload(gpu: &Gpu, operands: &Inputs<HostTensor>) -> Result<Inputs<Tensor>> {
    let upload = |operand: &HostTensor| Tensor::upload(gpu, &operand.shape, &operand.values);
    Ok(Inputs {
        input: upload(&operands.input).context("cannot upload input")?,
        offset: upload(&operands.offset).context("cannot upload offset")?,
        weight: upload(&operands.weight).context("cannot upload weight")?,
        mask: operands.mask.as_ref().map(upload).transpose().context("cannot upload mask")?,
        bias: operands.bias.as_ref().map(upload).transpose().context("cannot upload bias")?,
    })
}

fn gradients(parameters: &[(String, &Parameter)]) -> Vec<Computed> {
    let gradient =
        |(name, parameter): &(String, &Parameter)| Computed::new(&format!("grad_{name}"), parameter.gradient().clone());
    parameters.iter().map(gradient).collect()
}

/// Returns the file's `grad_output` on the device, which a backward pass needs.
fn upload_grad_output(gpu: &Gpu, file: &CaseFile, backward: bool) -> Result<Option<Tensor>> {
    backward.then(|| file.upload(gpu, GRAD_OUTPUT)).transpose()
}

/// Every operator. A file that suits several belongs to the first.
pub static OPERATORS: [&Operator; 5] = [&DEFORM_CONV2D, &DEFORMABLE_CONV2D, &CYCLE_FC, &SHIFT, &CONV2D];

/// torchvision's `deform_conv2d`.
pub static DEFORM_CONV2D: Operator = Operator {
    name: "deform_conv2d",
    about: "torchvision's deform_conv2d, version 1 (no mask) or 2 (with a mask)",
    has_algorithms: true,
    tensors: &[required("input"), required("offset"), required("weight"), optional("mask"), optional("bias")],
    metadata: &[
        optional("stride"),
        optional("padding"),
        optional("dilation"),
        optional("groups"),
        optional("offset_groups"),
    ],
    call: deform_conv2d,
};

fn deform_conv2d(operator: &DeformConv2d, file: &CaseFile, options: Options, backward: bool) -> Result<Call> {
    let operator = operator.clone();
    let operands = file.operands()?;
    file.geometry(&operands, &options)?;
    let inputs = upload(operator.gpu(), &operands)?;
    let grad_output = upload_grad_output(operator.gpu(), file, backward)?;
    Ok(Box::new(move || {
        let inputs = inputs.as_ref();
        let mut results = vec![Computed::new("output", operator.forward(&inputs, options)?)];
        if let Some(grad_output) = &grad_output {
            let gradients = operator.backward(&inputs, grad_output, Gradients::ALL, options)?;
            for (operand, gradient) in gradients.iter() {
                results.extend(gradient.clone().map(|gradient| Computed::new(operand.gradient_name(), gradient)));
            }
        }
        Ok(results)
    }))
}

const MASKS: &[(&str, Mask)] =
    &[("none", Mask::None), ("sigmoid", Mask::Sigmoid), ("twice_sigmoid", Mask::TwiceSigmoid)];

/// The layer that generates its own offsets.
pub static DEFORMABLE_CONV2D: Operator = Operator {
    name: "deformable_conv2d",
    about: "The layer that computes its offsets and masks with a convolution of its own",
    has_algorithms: true,
    tensors: &[
        required("input"),
        required("weight"),
        optional("bias"),
        required("generator_weight"),
        optional("generator_bias"),
    ],
    metadata: &[
        optional("stride"),
        optional("padding"),
        optional("dilation"),
        optional("groups"),
        optional("offset_groups"),
        optional("mask").with_words(|| words(MASKS)),
        optional("generator_padding"),
        optional("generator_dilation"),
    ],
    call: deformable_conv2d,
};

/// Builds the layer that generates its own offsets and loads its parameters from the file. `options` holds its stride,
/// padding, dilation, algorithm and workspace limit.
///
/// # Errors
/// The same as [`CaseFile::call`].
pub fn deformable_conv2d_layer(operator: &DeformConv2d, file: &CaseFile, options: Options) -> Result<DeformableConv2d> {
    let [out_channels, _, height, width] = file.shape("weight")?;
    let [_, _, generator_height, generator_width] = file.shape("generator_weight")?;
    let [_, in_channels, _, _] = file.shape("input")?;
    let generator_kernel = [generator_height, generator_width];
    let options = DeformableConv2dOptions {
        groups: file.number("groups", 1)?,
        offset_groups: file.number("offset_groups", 1)?,
        bias: file.has("bias"),
        mask: file.choice("mask", MASKS)?.unwrap_or(Mask::Sigmoid),
        generator: Generator {
            kernel_size: generator_kernel,
            padding: file.pair("generator_padding", generator_kernel.map(|size| size / 2))?,
            dilation: file.pair("generator_dilation", [1, 1])?,
        },
        deform: options,
        ..DeformableConv2dOptions::new(in_channels, out_channels, [height, width])
    };
    let layer = DeformableConv2d::new(operator, options, 0)?;
    let names = [
        ("weight", "weight"),
        ("bias", "bias"),
        ("conv_offset.weight", "generator_weight"),
        ("conv_offset.bias", "generator_bias"),
    ];
    layer.load(&file.state(&names)?, "")?;
    Ok(layer)
}

fn deformable_conv2d(operator: &DeformConv2d, file: &CaseFile, options: Options, backward: bool) -> Result<Call> {
    let layer = deformable_conv2d_layer(operator, file, options)?;
    let input = file.upload(operator.gpu(), "input")?;
    let grad_output = upload_grad_output(operator.gpu(), file, backward)?;
    Ok(Box::new(move || {
        let forward = layer.forward(&input)?;
        let mut results = vec![Computed::new("output", forward.output.clone())];
        if let Some(grad_output) = &grad_output {
            results.push(Computed::new("grad_input", layer.backward(&input, &forward, grad_output, Mode::Write)?));
            results.extend(gradients(&layer.regular_conv.parameters()));
            results.extend(generator_gradients(&layer));
        }
        Ok(results)
    }))
}

/// Returns the gradients of the generator under the file's names. The file stores the generator as one convolution
/// whose output channels are the offsets, then the masks.
pub fn generator_gradients(layer: &DeformableConv2d) -> Vec<Computed> {
    let mut results = gradients(&layer.offset_conv.parameters());
    let masks = layer.mask_conv.iter().flat_map(|conv| gradients(&conv.parameters()));
    for (result, masks) in results.iter_mut().zip(masks) {
        result.parts.extend(masks.parts);
    }
    for result in &mut results {
        result.name = result.name.replace("grad_", "grad_generator_");
    }
    results
}

/// CycleMLP's fully connected layer.
pub static CYCLE_FC: Operator = Operator {
    name: "cycle_fc",
    about: "CycleMLP's fully connected layer",
    has_algorithms: false,
    tensors: &[required("input"), required("weight"), optional("bias")],
    metadata: &[required("kernel_size")],
    call: |operator, file, _, backward| cycle_fc(operator, file, backward),
};

/// Builds CycleMLP's `CycleFC` layer with the file's parameters.
///
/// # Errors
/// The same as [`CaseFile::call`].
pub fn cycle_fc_layer(operator: &DeformConv2d, file: &CaseFile) -> Result<CycleFc> {
    let [out_channels, in_channels, _, _] = file.shape("weight")?;
    let kernel_size = file.pair("kernel_size", [1, 1])?;
    let options =
        CycleFcOptions { bias: file.has("bias"), ..CycleFcOptions::new(in_channels, out_channels, kernel_size) };
    let layer = CycleFc::new(operator, options, 0)?;
    layer.load(&file.state(&[("weight", "weight"), ("bias", "bias")])?, "")?;
    Ok(layer)
}

fn cycle_fc(operator: &DeformConv2d, file: &CaseFile, backward: bool) -> Result<Call> {
    let layer = cycle_fc_layer(operator, file)?;
    let input = file.upload(operator.gpu(), "input")?;
    let grad_output = upload_grad_output(operator.gpu(), file, backward)?;
    Ok(Box::new(move || {
        let output = layer.forward(&input)?;
        let mut results = vec![Computed::new("output", output.clone())];
        if let Some(grad_output) = &grad_output {
            results.push(Computed::new("grad_input", layer.backward(&input, &output, grad_output, Mode::Write)?));
            results.extend(gradients(&layer.parameters()));
        }
        Ok(results)
    }))
}

#[derive(Clone, Copy)]
enum Kind {
    S2v1,
    S2v2,
    AsMlp { axis: usize },
    Roll,
}

const KINDS: &[(&str, Kind)] = &[
    ("s2v1", Kind::S2v1),
    ("s2v2", Kind::S2v2),
    ("as_h", Kind::AsMlp { axis: 0 }),
    ("as_w", Kind::AsMlp { axis: 1 }),
    ("roll", Kind::Roll),
];

/// Channel shifts.
pub static SHIFT: Operator = Operator {
    name: "shift",
    about: "Channel shifts: those of S²-MLP and AS-MLP, and roll",
    has_algorithms: false,
    tensors: &[required("input")],
    metadata: &[required("kind").with_words(|| words(KINDS)), optional("shift_size")],
    call: |operator, file, _, backward| shift(operator.gpu(), file, backward),
};

fn shift(gpu: &Gpu, file: &CaseFile, backward: bool) -> Result<Call> {
    let [_, channels, _, _] = file.shape("input")?;
    let shift_size = file.number("shift_size", 5)?;
    let (shifts, border) = match file.choice("kind", KINDS)?.context("metadata kind is missing")? {
        Kind::S2v1 => (s2_mlp_v1(channels)?, Border::Keep),
        Kind::S2v2 => (s2_mlp_v2(channels)?, Border::Keep),
        Kind::AsMlp { axis } => (as_mlp(channels, shift_size, axis)?, Border::Zero),
        Kind::Roll => (s2_mlp_v1(channels)?, Border::Wrap),
    };
    let operator = ChannelShift::new(gpu, &shifts, border)?;
    let input = file.upload(gpu, "input")?;
    let grad_output = upload_grad_output(gpu, file, backward)?;
    Ok(Box::new(move || {
        let mut results = vec![Computed::new("output", operator.forward(&input)?)];
        if let Some(grad_output) = &grad_output {
            results.push(Computed::new("grad_input", operator.backward(grad_output)?));
        }
        Ok(results)
    }))
}

/// Ordinary convolution followed by an activation.
pub static CONV2D: Operator = Operator {
    name: "conv2d",
    about: "Ordinary convolution followed by an activation",
    has_algorithms: true,
    tensors: &[required("input"), required("weight"), optional("bias")],
    metadata: &[
        optional("stride"),
        optional("padding"),
        optional("dilation"),
        optional("groups"),
        optional("activation").with_words(|| words(ACTIVATIONS)),
    ],
    call: |operator, file, options, backward| conv2d(operator.gpu(), file, options, backward),
};

fn conv2d(gpu: &Gpu, file: &CaseFile, options: Options, backward: bool) -> Result<Call> {
    let Options { stride, padding, dilation, algorithm, workspace_limit, refuse_slow, .. } = options;
    let activation = file.activation()?;
    let options = conv2d::Options { stride, padding, dilation, activation, algorithm, workspace_limit, refuse_slow };
    let bias = file.has("bias").then(|| file.upload(gpu, "bias")).transpose()?;
    let (input, weight) = (file.upload(gpu, "input")?, file.upload(gpu, "weight")?);
    if let ([_, channels, ..], [_, group_channels, ..]) = (input.shape(), weight.shape()) {
        file.agree("groups", channels.checked_div(*group_channels).unwrap_or(0))?;
    }
    let grad_output = upload_grad_output(gpu, file, backward)?;
    let operator = Conv2d::new(gpu);
    Ok(Box::new(move || {
        let inputs = conv2d::Inputs { input: &input, weight: &weight, bias: bias.as_ref() };
        let output = operator.forward(&inputs, options)?;
        let mut results = vec![Computed::new("output", output.clone())];
        if let Some(grad_output) = &grad_output {
            let conv2d::Gradients { input, weight, bias } =
                operator.backward(&inputs, &output, grad_output, conv2d::Gradients::ALL, options)?;
            let named = [("grad_input", input), ("grad_weight", weight), ("grad_bias", bias)];
            results.extend(named.into_iter().filter_map(|(name, gradient)| Some(Computed::new(name, gradient?))));
        }
        Ok(results)
    }))
}
