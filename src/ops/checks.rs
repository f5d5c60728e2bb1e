//! Checks of the element types and shapes of a call's tensors.

use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::Tensor;

pub(in crate::ops) fn check_dtype(operand: &'static str, tensor: &Tensor, expected: Dtype) -> Result<()> {
    match tensor.dtype() {
        got if got == expected => Ok(()),
        got => Err(Error::Dtype { operand, expected, got }),
    }
}

pub(in crate::ops) fn check_shape(
    operand: &'static str,
    tensor: &Tensor,
    expected: &[usize],
    because: &'static str,
) -> Result<()> {
    if tensor.shape().len() != expected.len() {
        return Err(Error::Rank { operand, expected: expected.len(), got: tensor.shape().len() });
    }
    let axes = tensor.shape().iter().zip(expected).enumerate();
    match axes.into_iter().find(|(_, (got, expected))| got != expected) {
        Some((axis, (&got, &expected))) => Err(Error::Axis { operand, axis, expected, got, because }),
        None => Ok(()),
    }
}
