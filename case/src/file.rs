//! The safetensors file of a case.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use deform::layers::{HostTensor, State};
use deform::ops::deform_conv2d::Geometry;
use deform::{DeformConv2d, Error, Gpu, Gradients, Inputs, Options, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::operator::Operator;
use crate::{Call, OPERATORS};

/// A parsed safetensors file that holds one case of an operator.
pub struct CaseFile {
    /// The file's stem: `v2` for `golden/v2.safetensors`.
    pub name: String,
    /// The operator.
    pub operator: &'static Operator,
    bytes: Vec<u8>,
    pub(crate) metadata: HashMap<String, String>,
}

/// An expected result, which the file stores as f64 or f32.
pub struct Answer {
    /// The tensor's name in the file.
    pub name: String,
    /// The sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements, row-major.
    pub values: Vec<f64>,
    /// Whether the file stores f32, so that the answer may have been computed in f32 and have that error itself.
    pub is_f32: bool,
}

impl CaseFile {
    /// Reads the case of `operator` in the file at `path`.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or as [`CaseFile::parse`].
    pub fn read(operator: &'static Operator, path: &Path) -> Result<Self> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let cannot_read = || format!("cannot read {}", path.display());
        let not_a_case = || format!("{} is not a case of {}", path.display(), operator.name);
        let mut file = File::open(path).with_context(cannot_read)?;
        let mut bytes = Vec::new();
        read_header(&mut file, &mut bytes).with_context(cannot_read)?;
        // A large file of another kind is not read further. The tensors are not there yet.
        match SafeTensors::read_metadata(&bytes) {
            Ok(_) | Err(SafeTensorError::MetadataIncompleteBuffer) => {}
            Err(_) => return Err(refusal(&bytes)).with_context(not_a_case),
        }
        file.read_to_end(&mut bytes).with_context(cannot_read)?;
        Self::parse(operator, &name, bytes).with_context(not_a_case)
    }

    /// Parses the bytes of a file.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a safetensors file, if a tensor or a metadata entry has a name that the
    /// operator does not know, or if one is missing.
    pub fn parse(operator: &'static Operator, name: &str, bytes: Vec<u8>) -> Result<Self> {
        let file = Self::new(operator, name, bytes)?;
        operator.check(&file)?;
        Ok(file)
    }

    /// Parses the bytes of a file whose tensors and metadata tell the operator.
    ///
    /// # Errors
    /// The same as [`CaseFile::parse`], and an error if they tell none.
    pub fn parse_any(name: &str, bytes: Vec<u8>) -> Result<Self> {
        let file = Self::new(OPERATORS[0], name, bytes)?;
        let operator = OPERATORS.into_iter().find(|operator| operator.suits(&file)).with_context(|| {
            let operators = OPERATORS.map(|operator| format!("{operator}")).join(" ");
            format!("the file has too few tensors and metadata for any operator. {operators}")
        })?;
        operator.check(&file)?;
        Ok(Self { operator, ..file })
    }

    fn new(operator: &'static Operator, name: &str, bytes: Vec<u8>) -> Result<Self> {
        SafeTensors::deserialize(&bytes).map_err(|_| refusal(&bytes))?;
        let (_, header) = SafeTensors::read_metadata(&bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { name: name.to_owned(), operator, bytes, metadata })
    }

    /// Puts the operands on the device and returns the operator's call on them, with all of its gradients if `backward`
    /// is set. `options` holds its stride, padding, dilation, algorithm and workspace limit.
    ///
    /// # Errors
    /// Returns an error if a metadata entry is invalid, if the operands do not fit it, or if they do not fit the device.
    pub fn call(&self, operator: &DeformConv2d, options: Options, backward: bool) -> Result<Call> {
        let assumed = self.assumed()?;
        let call = (self.operator.call)(operator, self, options, backward)?;
        Ok(Box::new(move || call().map_err(|error| explained(error, assumed.as_deref()))))
    }

    fn tensors(&self) -> Result<SafeTensors<'_>> {
        Ok(SafeTensors::deserialize(&self.bytes)?)
    }

    /// Returns the names of all tensors, sorted.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a safetensors file, which [`CaseFile::parse`] has ruled out.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<_> = self.tensors()?.names().into_iter().map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Reports whether the file has a tensor of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tensors().is_ok_and(|tensors| tensors.tensor(name).is_ok())
    }

    /// Returns a required operand.
    ///
    /// # Errors
    /// Returns an error if the operand is missing or is not f32.
    pub fn operand(&self, name: &str) -> Result<HostTensor> {
        match self.optional(name)? {
            Some(operand) => Ok(operand),
            None => bail!("operand {name} is missing; the file has {}", self.names()?.join(", ")),
        }
    }

    /// Returns an optional operand, or `None` if the file does not have it.
    ///
    /// # Errors
    /// Returns an error if the operand is not f32.
    pub fn optional(&self, name: &str) -> Result<Option<HostTensor>> {
        let tensors = self.tensors()?;
        let Ok(view) = tensors.tensor(name) else { return Ok(None) };
        ensure!(view.dtype() == Dtype::F32, "operand {name}: got dtype {}, expected F32: convert it", view.dtype());
        Ok(Some(HostTensor { shape: view.shape().to_vec(), values: f32s(view.data()) }))
    }

    /// Returns the geometry of `deform_conv2d`.
    ///
    /// # Errors
    /// Returns an error if the operands do not fit together, or do not fit the metadata.
    pub fn geometry(&self, operands: &Inputs<HostTensor>, options: &Options) -> Result<Geometry> {
        let geometry = Geometry::new(operands.map(|operand| operand.shape.as_slice()), options);
        let assumed = self.assumed()?;
        let geometry = geometry.map_err(|error| explained(error.into(), assumed.as_deref()))?;
        self.agree("groups", geometry.groups)?;
        self.agree("offset_groups", geometry.offset_groups)?;
        Ok(geometry)
    }

    /// Returns the operands of `deform_conv2d`.
    ///
    /// # Errors
    /// Returns an error if the input, the offset or the weight is missing, or if an operand is not f32.
    pub fn operands(&self) -> Result<Inputs<HostTensor>> {
        Ok(Inputs {
            input: self.operand("input")?,
            offset: self.operand("offset")?,
            weight: self.operand("weight")?,
            mask: self.optional("mask")?,
            bias: self.optional("bias")?,
        })
    }

    /// Returns the expected gradients of `deform_conv2d`, as far as the file has them.
    ///
    /// # Errors
    /// Returns an error if a gradient is neither f64 nor f32.
    pub fn gradients(&self) -> Result<Gradients<Option<Answer>>> {
        Gradients::try_from_fn(|operand| self.answer(operand.gradient_name()))
    }

    /// Returns the shape of an operand with four axes.
    ///
    /// # Errors
    /// Returns an error if the operand is missing, is not f32, or does not have four axes.
    pub fn shape(&self, name: &str) -> Result<[usize; 4]> {
        let shape = self.operand(name)?.shape;
        shape.as_slice().try_into().with_context(|| format!("{name} has shape {shape:?}, expected four axes"))
    }

    /// Uploads an operand to the device.
    ///
    /// # Errors
    /// Returns an error if the operand is missing, is not f32, or does not fit the device.
    pub fn upload(&self, gpu: &Gpu, name: &str) -> Result<Tensor> {
        let HostTensor { shape, values } = self.operand(name)?;
        Tensor::upload(gpu, shape, &values).with_context(|| format!("cannot upload {name}"))
    }

    /// Collects operands into a state. Each pair is (name in the state, name in the file); operands that the file lacks
    /// are left out.
    ///
    /// # Errors
    /// Returns an error if an operand is not f32.
    pub fn state(&self, names: &[(&str, &str)]) -> Result<State> {
        let mut state = State::default();
        for (to, from) in names {
            let tensor = self.optional(from)?;
            state.tensors.extend(tensor.map(|tensor| ((*to).to_owned(), tensor)));
        }
        Ok(state)
    }

    /// Returns the expected value of a result such as `output`: the tensor `exact.output` if the file has it, because
    /// `output` may then be another implementation's rounded result; otherwise the tensor `output`.
    ///
    /// # Errors
    /// Returns an error if the tensor is neither f64 nor f32.
    pub fn answer(&self, result: &str) -> Result<Option<Answer>> {
        let tensors = self.tensors()?;
        for name in [&format!("exact.{result}"), result] {
            let Ok(view) = tensors.tensor(name) else { continue };
            let values = match view.dtype() {
                Dtype::F64 => f64s(view.data()),
                Dtype::F32 => f32s(view.data()).into_iter().map(f64::from).collect(),
                other => bail!("answer {name}: got dtype {other}, expected F64 or F32: convert it"),
            };
            let is_f32 = view.dtype() == Dtype::F32;
            return Ok(Some(Answer { name: name.to_owned(), shape: view.shape().to_vec(), values, is_f32 }));
        }
        Ok(None)
    }
}

/// The longest header that safetensors reads.
const LONGEST_HEADER: u64 = 100_000_000;

/// Reads the length of the header and the header, or what there is of them.
fn read_header(file: &mut File, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    file.take(8).read_to_end(bytes)?;
    if let Ok(length) = bytes.as_slice().try_into() {
        let length = u64::from_le_bytes(length);
        file.take(if length <= LONGEST_HEADER { length } else { 0 }).read_to_end(bytes)?;
    }
    Ok(())
}

/// Returns the reason for which bytes are no safetensors file, in the words of state dicts.
fn refusal(bytes: &[u8]) -> anyhow::Error {
    match State::from_safetensors(bytes) {
        Err(Error::State { reason }) => anyhow!(reason),
        Err(error) => error.into(),
        Ok(_) => anyhow!("the file is not a safetensors file"),
    }
}

/// Adds the text about left out options to an error about sizes.
fn explained(error: anyhow::Error, assumed: Option<&str>) -> anyhow::Error {
    match (assumed, error.downcast_ref()) {
        (Some(assumed), Some(Error::Axis { .. } | Error::OutputTooSmall { .. })) => error.context(assumed.to_owned()),
        _ => error,
    }
}

/// Returns the contents of a safetensors file that holds f32 tensors, each given as name, shape and elements.
///
/// # Errors
/// Returns an error if the number of a tensor's elements differs from the product of its shape.
pub fn serialize<'a>(
    tensors: impl Iterator<Item = (String, &'a [usize], &'a [f32])>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let tensors: Vec<_> = tensors.map(|(name, shape, values)| (name, shape.to_vec(), bytes(values))).collect();
    let views =
        tensors.iter().map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, Some(metadata))?)
}

// safetensors stores little-endian values at any alignment, so the bytes cannot be cast.
fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect()
}

fn f64s(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&value| f64::from_le_bytes(value)).collect()
}
