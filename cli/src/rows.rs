//! Tensors as nested rows of numbers, for `deform run --print`.

use anyhow::Result;
use deform::layers::HostTensor;
use ndarray::ArrayD;

/// Formats a tensor as nested rows. ndarray leaves out the middle of the axes if there are 500 elements or more.
pub(crate) fn rows(tensor: &HostTensor) -> Result<String> {
    let numbers: Vec<_> = tensor.values.iter().map(|&value| significant(value.into(), 6)).collect();
    // ndarray formats each element with the width of the whole, which aligns the columns.
    let width = numbers.iter().map(String::len).max().unwrap_or(0);
    let array = ArrayD::from_shape_vec(tensor.shape.as_slice(), numbers)?;
    Ok(format!("{array:>width$}"))
}

/// Formats a number with at most this many significant digits, and with an exponent if it is very large or small.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    // The text of a rounded number is always a number.
    let rounded = format!("{value:.*e}", digits - 1).parse().unwrap_or(value);
    format!("{rounded:?}")
}

#[cfg(test)]
mod tests {
    use deform::layers::HostTensor;

    use super::{rows, significant};

    #[test]
    fn numbers_are_rounded_to_significant_digits() {
        let cases = [
            (1.0 / 3.0, "0.333333"),
            (-12.345_678, "-12.3457"),
            (1_234_567.0, "1234570.0"),
            (2e-9 / 3.0, "6.66667e-10"),
            (2e20, "2e20"),
            (0.0, "0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value, 6), text);
        }
        assert_eq!(significant(1.0 / 3.0, 2), "0.33");
    }

    #[test]
    fn rows_are_aligned_and_a_large_tensor_is_elided() {
        let tensor = |shape: &[usize]| HostTensor {
            shape: shape.to_vec(),
            values: (0..shape.iter().product::<usize>()).map(|n| n as f32 - 1.0).collect(),
        };
        let small = rows(&tensor(&[2, 2])).expect("the values fit the shape");
        assert_eq!(small, "[[-1.0,  0.0],\n [ 1.0,  2.0]]");
        let large = rows(&tensor(&[40, 50])).expect("the values fit the shape");
        for shown in ["-1.0", "...", "1998.0"] {
            assert!(large.contains(shown), "{large}");
        }
        assert!(!large.contains("1000.0") && large.len() < 2000, "{large}");
        assert_eq!(rows(&tensor(&[0, 2])).expect("the values fit the shape"), "[[]]");
    }
}
