//! State dicts: named tensors on the host.

use std::collections::BTreeMap;

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::dtype::rounded;
use crate::error::{Error, Result};
use crate::gpu::Tensor;

/// A state dict: f32 tensors by name. It is read from and written to `.safetensors` files; in PyTorch,
/// `safetensors.torch.save_file(module.state_dict(), path)` writes one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// The tensors.
    pub tensors: BTreeMap<String, HostTensor>,
    /// The types of a file's tensors that are not floating-point numbers, by name. Their values are not read.
    pub skipped: BTreeMap<String, String>,
}

/// An array on the host, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// The sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements.
    pub values: Vec<f32>,
}

impl State {
    /// Reads the contents of a `.safetensors` file. Converts f16, bf16 and f64 to f32, and skips tensors of other
    /// types, such as counters.
    ///
    /// # Errors
    /// Returns [`Error::State`] if the bytes are not such a file.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| state_error(refusal(bytes, &error)))?;
        let mut state = Self::default();
        for (name, view) in file.tensors() {
            match values(&view) {
                Some(values) => drop(state.tensors.insert(name, HostTensor { shape: view.shape().to_vec(), values })),
                None => drop(state.skipped.insert(name, view.dtype().to_string())),
            }
        }
        Ok(state)
    }

    /// Returns the contents of a `.safetensors` file with these tensors.
    ///
    /// # Errors
    /// Returns [`Error::State`] if the number of a tensor's elements differs from the product of its shape.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let views = self.tensors.iter().map(|(name, tensor)| {
            // The format is little-endian.
            let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name, tensor.shape.clone(), bytes)
        });
        let views: Vec<_> = views.collect();
        let views =
            views.iter().map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
        let views: std::result::Result<Vec<_>, safetensors::SafeTensorError> = views.collect();
        let file = views.and_then(|views| safetensors::serialize(views, None));
        file.map_err(|error| state_error(error.to_string()))
    }

    /// Returns the tensor of this name.
    ///
    /// # Errors
    /// Returns [`Error::State`] if there is none.
    pub fn get(&self, name: &str) -> Result<&HostTensor> {
        self.tensors.get(name).ok_or_else(|| match self.skipped.get(name) {
            Some(dtype) => state_error(format!("{name} holds {dtype}, expected F32, F64, F16 or BF16")),
            None => state_error(format!("there is no tensor {name}")),
        })
    }

    /// Downloads a tensor and keeps it under this name. Waits for it, so it is not available on the web.
    ///
    /// # Errors
    /// The same as [`Tensor::download`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn store(&mut self, name: String, tensor: &Tensor) -> Result<()> {
        pollster::block_on(self.store_async(name, tensor))
    }

    /// [`State::store`] without blocking. On the web it replaces the layers' `save`, tensor by tensor.
    ///
    /// # Errors
    /// The same as [`Tensor::download_async`].
    pub async fn store_async(&mut self, name: String, tensor: &Tensor) -> Result<()> {
        let values = tensor.download_async().await?;
        self.tensors.insert(name, HostTensor { shape: tensor.shape().to_vec(), values });
        Ok(())
    }

    /// Writes the tensor of this name into one on the device.
    ///
    /// # Errors
    /// Returns [`Error::State`] if there is none, or if the shapes differ.
    pub fn load(&self, name: &str, tensor: &Tensor) -> Result<()> {
        tensor.write(self.shaped(name, tensor.shape())?)
    }

    /// Returns the elements of the tensor of this name, which must have this shape.
    pub(super) fn shaped(&self, name: &str, expected: &[usize]) -> Result<&[f32]> {
        let HostTensor { shape, values } = self.get(name)?;
        if shape != expected {
            return Err(state_error(format!("{name} is {shape:?}, expected {expected:?}")));
        }
        if values.len() != shape.iter().product::<usize>() {
            return Err(state_error(format!("{name} is {shape:?} and has {} elements", values.len())));
        }
        Ok(values)
    }
}

/// Returns the reason for which bytes are no safetensors file.
fn refusal(bytes: &[u8], error: &SafeTensorError) -> String {
    let reason = match (bytes, error) {
        ([], _) => "it is empty".to_owned(),
        // A zip archive, and a pickle of the older kind, whose third byte is 0 in the length of a header.
        ([b'P', b'K', 3, 4, ..], _) | ([0x80, 2..=5, 1..=255, ..], _) => {
            "it is a pickle, as torch.save writes".to_owned()
        }
        (_, SafeTensorError::MetadataIncompleteBuffer) => {
            "its tensors end before the file does, or after it".to_owned()
        }
        (
            _,
            SafeTensorError::HeaderTooSmall
            | SafeTensorError::HeaderTooLarge
            | SafeTensorError::InvalidHeader(_)
            | SafeTensorError::InvalidHeaderLength
            | SafeTensorError::InvalidHeaderDeserialization(_),
        ) => "it does not begin with the header of one".to_owned(),
        _ => error.to_string(),
    };
    format!("the file is not a safetensors file: {reason}; safetensors.torch.save_file(tensors, path) writes one")
}

pub(super) fn state_error(reason: String) -> Error {
    Error::State { reason }
}

fn values(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = view.data();
    let halves = || data.as_chunks::<2>().0.iter();
    Some(match view.dtype() {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        Dtype::F64 => data.as_chunks::<8>().0.iter().map(|bytes| rounded(f64::from_le_bytes(*bytes))).collect(),
        Dtype::F16 => halves().map(|bytes| half::f16::from_le_bytes(*bytes).to_f32()).collect(),
        Dtype::BF16 => halves().map(|bytes| half::bf16::from_le_bytes(*bytes).to_f32()).collect(),
        _ => return None,
    })
}
