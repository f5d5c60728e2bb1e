//! The file.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use deform::layers::{HostTensor, State};
use deform::{Gpu, Options, Tensor};
use safetensors::{Dtype, SafeTensors};

/// The file of one case.
pub struct CaseFile {
    /// The file's stem: `v2` for `golden/v2.safetensors`.
    pub name: String,
    bytes: Vec<u8>,
    metadata: HashMap<String, String>,
}

/// A tensor that the file says is right, in the precision that the file has it in.
pub struct Answer {
    /// The tensor's name in the file.
    pub name: String,
    /// The sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements, row-major.
    pub values: Vec<f64>,
}

impl CaseFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, or is not a safetensors file.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&name, bytes).with_context(|| format!("{} is not a case", path.display()))
    }

    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// Where they are not those of a safetensors file.
    pub fn parse(name: &str, bytes: Vec<u8>) -> Result<Self> {
        SafeTensors::deserialize(&bytes).context("the file is not a safetensors file")?;
        let (_, header) = SafeTensors::read_metadata(&bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { name: name.to_owned(), bytes, metadata })
    }

    fn tensors(&self) -> Result<SafeTensors<'_>> {
        Ok(SafeTensors::deserialize(&self.bytes)?)
    }

    /// The names of all tensors, in order.
    ///
    /// # Errors
    /// None, once the file has been read.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<_> = self.tensors()?.names().into_iter().map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tensors().is_ok_and(|tensors| tensors.tensor(name).is_ok())
    }

    /// An operand.
    ///
    /// # Errors
    /// Where it is missing, or is not f32.
    pub fn operand(&self, name: &str) -> Result<HostTensor> {
        match self.optional(name)? {
            Some(operand) => Ok(operand),
            None => bail!("operand {name} is missing; the file has {}", self.names()?.join(", ")),
        }
    }

    /// An operand that a call need not have.
    ///
    /// # Errors
    /// Where it is not f32.
    pub fn optional(&self, name: &str) -> Result<Option<HostTensor>> {
        let tensors = self.tensors()?;
        let Ok(view) = tensors.tensor(name) else { return Ok(None) };
        ensure!(view.dtype() == Dtype::F32, "operand {name}: got dtype {:?}, expected F32", view.dtype());
        Ok(Some(HostTensor { shape: view.shape().to_vec(), values: f32s(view.data()) }))
    }

    /// The shape of an operand with four axes.
    ///
    /// # Errors
    /// Where it is missing, or has not four.
    pub fn shape(&self, name: &str) -> Result<[usize; 4]> {
        let shape = self.operand(name)?.shape;
        shape.as_slice().try_into().with_context(|| format!("{name} has shape {shape:?}, expected four axes"))
    }

    /// An operand as a tensor on the device.
    ///
    /// # Errors
    /// Where it is missing, is not f32, or does not fit the device.
    pub fn upload(&self, gpu: &Gpu, name: &str) -> Result<Tensor> {
        let HostTensor { shape, values } = self.operand(name)?;
        Tensor::upload(gpu, shape, &values).with_context(|| format!("cannot upload {name}"))
    }

    /// Those operands that the file has, each under the first name of its pair in place of the second.
    ///
    /// # Errors
    /// Where one is not f32.
    pub fn state(&self, names: &[(&str, &str)]) -> Result<State> {
        let mut state = State::default();
        for (to, from) in names {
            let tensor = self.optional(from)?;
            state.tensors.extend(tensor.map(|tensor| ((*to).to_owned(), tensor)));
        }
        Ok(state)
    }

    /// The right answer to a result: `exact.output` in higher precision where there is one beside an `output` that some peer computed.
    ///
    /// # Errors
    /// Where it is neither f64 nor f32.
    pub fn answer(&self, result: &str) -> Result<Option<Answer>> {
        let tensors = self.tensors()?;
        for name in [&format!("exact.{result}"), result] {
            let Ok(view) = tensors.tensor(name) else { continue };
            let values = match view.dtype() {
                Dtype::F64 => f64s(view.data()),
                Dtype::F32 => f32s(view.data()).into_iter().map(f64::from).collect(),
                other => bail!("answer {name}: got dtype {other:?}, expected F64 or F32"),
            };
            return Ok(Some(Answer { name: name.to_owned(), shape: view.shape().to_vec(), values }));
        }
        Ok(None)
    }

    /// A metadata entry.
    #[must_use]
    pub fn word<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        self.metadata.get(key).map_or(default, |text| text.trim())
    }

    /// A number in the metadata.
    ///
    /// # Errors
    /// Where the entry is not one.
    pub fn number(&self, key: &str, default: usize) -> Result<usize> {
        let Some(text) = self.metadata.get(key) else { return Ok(default) };
        text.trim().parse().with_context(|| format!("metadata {key}: got {text:?}, expected a number"))
    }

    /// Two numbers in the metadata, "h,w", or one for both.
    ///
    /// # Errors
    /// Where the entry is neither.
    pub fn pair(&self, key: &str, default: [usize; 2]) -> Result<[usize; 2]> {
        let Some(text) = self.metadata.get(key) else { return Ok(default) };
        let parse = |text: &str| text.trim().parse::<usize>().ok();
        let pair = match text.split_once(',') {
            Some((h, w)) => parse(h).zip(parse(w)),
            None => parse(text).map(|both| (both, both)),
        };
        let (h, w) = pair.with_context(|| format!("metadata {key}: got {text:?}, expected two numbers \"h,w\""))?;
        Ok([h, w])
    }

    /// The groupings follow from the shapes; metadata that says otherwise belongs to other operands.
    ///
    /// # Errors
    /// Where the entry is there and is another number.
    pub fn agree(&self, key: &str, from_shapes: usize) -> Result<()> {
        let Some(text) = self.metadata.get(key) else { return Ok(()) };
        ensure!(
            text.trim().parse() == Ok(from_shapes),
            "metadata {key} is {text:?}, but the operands' shapes make {key} {from_shapes}"
        );
        Ok(())
    }

    /// Stride, padding and dilation; all else is the default.
    ///
    /// # Errors
    /// Where an entry is not a pair.
    pub fn options(&self) -> Result<Options> {
        let defaults = Options::default();
        Ok(Options {
            stride: self.pair("stride", defaults.stride)?,
            padding: self.pair("padding", defaults.padding)?,
            dilation: self.pair("dilation", defaults.dilation)?,
            ..defaults
        })
    }
}

// safetensors stores little-endian values and leaves their alignment open, so they are read byte by byte.
fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect()
}

fn f64s(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&value| f64::from_le_bytes(value)).collect()
}
