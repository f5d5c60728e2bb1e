//! The sizes that a plan can be made for.

use crate::error::{Error, Result};

/// The largest size of an axis. The kernels' sizes are u32, and the sum of two must fit.
const MAX_AXIS: u64 = i32::MAX as u64;
/// The largest number of elements. No device holds more, and products of a few sizes stay in the range of u64.
const MAX_ELEMENTS: u64 = 1 << 48;

/// Checks that no axis exceeds [`MAX_AXIS`], and the number of elements does not exceed [`MAX_ELEMENTS`], where an empty
/// axis counts as 1. Returns the number of elements.
pub(crate) fn check_shape(operand: &'static str, shape: &[usize]) -> Result<u64> {
    if let Some(axis) = shape.iter().position(|&size| size as u64 > MAX_AXIS) {
        let what = format!("{operand} axis {axis}");
        return Err(Error::TooLarge { what, got: shape[axis] as u64, limit: MAX_AXIS });
    }
    let elements = shape.iter().fold(1u64, |product, &size| product.saturating_mul(size.max(1) as u64));
    if elements > MAX_ELEMENTS {
        return Err(Error::TooLarge { what: format!("the elements of {operand}"), got: elements, limit: MAX_ELEMENTS });
    }
    Ok(if shape.contains(&0) { 0 } else { elements })
}

/// Checks that there are as many elements as the shape says.
pub(crate) fn check_elements(shape: &[usize], got: usize) -> Result<()> {
    let expected = shape.iter().product();
    if got == expected { Ok(()) } else { Err(Error::ElementCount { shape: shape.to_vec(), expected, got }) }
}
