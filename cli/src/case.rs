//! A case: the operands and options of one call, and the answer if the file has it, from a safetensors file.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use deform::ops::deform_conv2d::Geometry;
use deform::{Gpu, Gradients, Inputs, Options, Tensor};
use safetensors::{Dtype, SafeTensors};

/// One tensor on the host: its shape and its values in row-major order.
#[derive(Clone)]
pub(crate) struct Operand {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// A tensor that the file says is right, in the precision that the file has it in.
pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// The operands and options of one call.
pub(crate) struct Case {
    /// The file's stem: `v2` for `golden/v2.safetensors`.
    pub(crate) name: String,
    pub(crate) operands: Inputs<Operand>,
    pub(crate) options: Options,
    pub(crate) answer: Option<Answer>,
    pub(crate) grad_output: Option<Operand>,
    pub(crate) grad_answers: Gradients<Option<Answer>>,
}

impl Case {
    /// A case without answers.
    pub(crate) fn new(name: &str, operands: Inputs<Operand>, options: Options) -> Self {
        let name = name.to_owned();
        Self { name, operands, options, answer: None, grad_output: None, grad_answers: Gradients::default() }
    }

    /// Reads a case from a safetensors file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&name, &bytes).with_context(|| format!("{} is not a deform_conv2d case", path.display()))
    }

    /// Reads a case from the bytes of a safetensors file.
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).context("the file is not a safetensors file")?;
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let defaults = Options::default();
        let case = Self {
            name: name.to_owned(),
            operands: Inputs {
                input: required(&file, "input")?,
                offset: required(&file, "offset")?,
                weight: required(&file, "weight")?,
                mask: optional(&file, "mask")?,
                bias: optional(&file, "bias")?,
            },
            options: Options {
                stride: pair(&metadata, "stride", defaults.stride)?,
                padding: pair(&metadata, "padding", defaults.padding)?,
                dilation: pair(&metadata, "dilation", defaults.dilation)?,
                ..defaults
            },
            answer: answer(&file, ["exact.output", "output"])?,
            grad_output: optional(&file, "grad_output")?,
            grad_answers: Gradients {
                input: answer(&file, ["exact.grad_input", "grad_input"])?,
                offset: answer(&file, ["exact.grad_offset", "grad_offset"])?,
                weight: answer(&file, ["exact.grad_weight", "grad_weight"])?,
                mask: answer(&file, ["exact.grad_mask", "grad_mask"])?,
                bias: answer(&file, ["exact.grad_bias", "grad_bias"])?,
            },
        };
        let geometry = case.geometry()?;
        agree(&metadata, "groups", geometry.groups)?;
        agree(&metadata, "offset_groups", geometry.offset_groups)?;
        Ok(case)
    }

    /// Every size of the call; an error when the operands do not fit together.
    pub(crate) fn geometry(&self) -> Result<Geometry> {
        let shapes = self.operands.map(|operand| operand.shape.as_slice());
        Ok(Geometry::new(shapes, &self.options)?)
    }

    /// The operands' values.
    pub(crate) fn values(&self) -> Inputs<&[f32]> {
        self.operands.map(|operand| operand.values.as_slice())
    }
}

/// The operands as tensors on the device.
pub(crate) fn upload(gpu: &Gpu, operands: &Inputs<Operand>) -> Result<Inputs<Tensor>> {
    let upload = |operand: &Operand| Tensor::upload(gpu, &operand.shape, &operand.values);
    Ok(Inputs {
        input: upload(&operands.input).context("cannot upload input")?,
        offset: upload(&operands.offset).context("cannot upload offset")?,
        weight: upload(&operands.weight).context("cannot upload weight")?,
        mask: operands.mask.as_ref().map(upload).transpose().context("cannot upload mask")?,
        bias: operands.bias.as_ref().map(upload).transpose().context("cannot upload bias")?,
    })
}

fn required(file: &SafeTensors<'_>, name: &str) -> Result<Operand> {
    optional(file, name)?.with_context(|| format!("operand {name} is missing; the file has {}", names(file)))
}

fn optional(file: &SafeTensors<'_>, name: &str) -> Result<Option<Operand>> {
    let Ok(view) = file.tensor(name) else { return Ok(None) };
    ensure!(view.dtype() == Dtype::F32, "operand {name}: got dtype {:?}, expected F32", view.dtype());
    Ok(Some(Operand { shape: view.shape().to_vec(), values: f32s(view.data()) }))
}

/// `exact.output` is a file's answer in higher precision beside an `output` as some peer computed it.
pub(crate) fn answer(file: &SafeTensors<'_>, names: [&str; 2]) -> Result<Option<Answer>> {
    for name in names {
        let Ok(view) = file.tensor(name) else { continue };
        let values = match view.dtype() {
            Dtype::F64 => f64s(view.data()),
            Dtype::F32 => f32s(view.data()).into_iter().map(f64::from).collect(),
            other => bail!("answer {name}: got dtype {other:?}, expected F64 or F32"),
        };
        return Ok(Some(Answer { name: name.to_owned(), shape: view.shape().to_vec(), values }));
    }
    Ok(None)
}

// safetensors stores little-endian values and leaves their alignment open, so they are read byte by byte.
fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect()
}

fn f64s(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&value| f64::from_le_bytes(value)).collect()
}

fn names(file: &SafeTensors<'_>) -> String {
    let mut names = file.names();
    names.sort_unstable();
    names.join(", ")
}

/// A metadata entry "h,w".
pub(crate) fn pair(metadata: &HashMap<String, String>, key: &str, default: [usize; 2]) -> Result<[usize; 2]> {
    let Some(text) = metadata.get(key) else { return Ok(default) };
    let parse = |text: &str| text.trim().parse::<usize>().ok();
    text.split_once(',')
        .and_then(|(h, w)| Some([parse(h)?, parse(w)?]))
        .with_context(|| format!("metadata {key}: got {text:?}, expected two numbers \"h,w\""))
}

/// The groupings follow from the shapes; metadata that says otherwise belongs to other operands.
fn agree(metadata: &HashMap<String, String>, key: &str, from_shapes: usize) -> Result<()> {
    let Some(text) = metadata.get(key) else { return Ok(()) };
    ensure!(
        text.trim().parse() == Ok(from_shapes),
        "metadata {key} is {text:?}, but the operands' shapes make {key} {from_shapes}"
    );
    Ok(())
}
