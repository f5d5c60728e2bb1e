//! The operators, one folder each: geometry, plan, reference, and the verbs in `mod`.

pub mod activation;
pub mod conv2d;
pub mod deform_conv2d;
pub mod optimizer;
pub mod roofline;
pub mod shift;
pub mod statistics;
pub mod texture;

use std::ops::Range;

use crate::kernel::Storage;
use crate::{Dtype, Error, Gpu, Result, Tensor};

/// How a device stores operands of `dtype`.
fn storage(gpu: &Gpu, dtype: Dtype) -> Storage {
    match dtype {
        Dtype::F32 => Storage::F32,
        Dtype::F16 if gpu.limits().f16 => Storage::F16,
        Dtype::F16 => Storage::PackedF16,
    }
}

fn check_dtype(operand: &'static str, tensor: &Tensor, expected: Dtype) -> Result<()> {
    match tensor.dtype() {
        got if got == expected => Ok(()),
        got => Err(Error::Dtype { operand, expected, got }),
    }
}

fn check_shape(operand: &'static str, tensor: &Tensor, expected: &[usize], because: &'static str) -> Result<()> {
    if tensor.shape().len() != expected.len() {
        return Err(Error::Rank { operand, expected: expected.len(), got: tensor.shape().len() });
    }
    let axes = tensor.shape().iter().zip(expected).enumerate();
    match axes.into_iter().find(|(_, (got, expected))| got != expected) {
        Some((axis, (&got, &expected))) => Err(Error::Axis { operand, axis, expected, got, because }),
        None => Ok(()),
    }
}

/// An operand of which a plan can cut no smaller piece, and the elements that a window holds.
fn binding_too_large(what: &'static str, storage: Storage, elements: u64, window: u64) -> Error {
    Error::BindingTooLarge { what, bytes: elements.saturating_mul(storage.bytes()), limit: window * storage.bytes() }
}

/// `range` in consecutive parts of `size`, the last one shorter where it must be.
fn split(range: Range<u64>, size: u64) -> impl Iterator<Item = Range<u64>> {
    let size = size.max(1);
    (0..range.len().div_ceil(size)).map(move |n| {
        let start = range.start + n * size;
        start..range.end.min(start.saturating_add(size))
    })
}

/// A range's length in u64, which `std` offers only for ranges of `usize` and smaller.
trait Len {
    fn len(&self) -> u64;
}

impl Len for Range<u64> {
    fn len(&self) -> u64 {
        self.end - self.start
    }
}
