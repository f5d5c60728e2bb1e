//! The error bound of a computed output, and the comparison of an output with the expected values.
//!
//! With the unit roundoff u = 2⁻²⁴, a sum of n terms in f32 has an error of at most about n·u·Σ|terms|. Rounding errors
//! have random signs, so the error grows like √n in practice. Each term takes a few operations itself (four corner
//! weights, mask, weight), which the factor 4 covers. A position is the result of one f32 addition with a relative
//! error of u, and the sample changes by at most twice the largest |input| per pixel of position error. The bound of an
//! output element combines the two:
//!
//! ```text
//! bound = u·√n·(4·Σ|terms| + 2·(in_height + in_width)·largest |term|)
//! ```
//!
//! The second part is left out when no position needs rounding, see [`positions_are_exact`]. A wrong tap, a swapped
//! axis or a missing term causes an error of the size of a whole term, which is thousands of times larger than the
//! bound.

use deform::Inputs;
use deform::ops::deform_conv2d::Geometry;
use deform::ops::deform_conv2d::reference::Reference;

use crate::case::Case;

/// The unit roundoff of f32, 2⁻²⁴.
pub(crate) const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// The description of the bound in `--help`.
pub(crate) const BOUND: &str = "\
The bound of an output element that sums n terms is 2^-24 * sqrt(n) * (4 * sum|terms| + 2 * (in_height + in_width) * \
largest |term|). The first part is for n roundings in f32, which grow like a random walk. The second is for the \
rounding of the sampling position; it is left out when every offset is a multiple of 1/4096 and smaller than 2048 in \
absolute value, because no position needs rounding then. sum|terms| comes from the CPU reference, run on the \
operands' absolute values with each group's largest |weight|.";

/// The error of a result that does not match the expected one.
#[derive(Debug)]
pub(crate) struct Mismatch(pub(crate) String);

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// The outcome of a comparison: the largest error, and the element that comes closest to its bound or exceeds it most.
#[derive(Clone, Copy, Default)]
pub(crate) struct Comparison {
    /// The largest |got − want|; infinite if exactly one of the two is NaN.
    pub(crate) max_abs_error: f64,
    /// The largest error ÷ bound.
    pub(crate) worst_ratio: f64,
    /// The element with the largest ratio.
    pub(crate) worst: Worst,
}

/// One compared element: its index in the output, its computed and its expected value, and its bound.
#[derive(Clone, Copy, Default)]
pub(crate) struct Worst {
    pub(crate) index: usize,
    pub(crate) got: f64,
    pub(crate) want: f64,
    pub(crate) bound: f64,
}

impl Comparison {
    /// Adds one element to the comparison.
    pub(crate) fn add(&mut self, index: usize, got: f64, want: f64, bound: f64) {
        // A NaN matches a NaN, because an operand may hold one. A NaN on one side only is an infinite error.
        let error = if got == want || (got.is_nan() && want.is_nan()) { 0.0 } else { (got - want).abs() };
        let error = if error.is_nan() { f64::INFINITY } else { error };
        // An exact element is within any bound, even one that is 0 or NaN.
        let ratio = if error == 0.0 { 0.0 } else { error / bound };
        let ratio = if ratio.is_nan() { f64::INFINITY } else { ratio };
        self.max_abs_error = self.max_abs_error.max(error);
        if ratio >= self.worst_ratio {
            self.worst_ratio = ratio;
            self.worst = Worst { index, got, want, bound };
        }
    }

    /// Returns an error that names the worst element if that element exceeds its bound.
    pub(crate) fn check(&self, what: &str) -> Result<(), Mismatch> {
        if self.worst_ratio <= 1.0 {
            return Ok(());
        }
        let Worst { index, got, want, bound } = self.worst;
        Err(Mismatch(format!(
            "the result does not match {what}: element {index} is {got}, expected {want} ± {bound:.1e}"
        )))
    }
}

/// The bounds of all output elements, one for each pixel of each image and weight group.
///
/// A bound takes the group's largest |weight| in place of the output channel's own, which makes it larger but lets the
/// reference run once per group instead of once per output channel.
pub(crate) struct Bounds {
    geometry: Geometry,
    values: Vec<f64>,
}

impl Bounds {
    /// Computes the bounds from the reference on the absolute values of a case's operands.
    pub(crate) fn new(case: &Case) -> anyhow::Result<Self> {
        let geometry = case.geometry()?;
        let operands = &case.operands;
        let absolute = |values: &[f32]| values.iter().map(|value| value.abs()).collect::<Vec<f32>>();
        let largest_bias = operands.bias.as_ref().map(|bias| largest(&bias.values));
        let mut shape = operands.weight.shape.clone();
        shape[0] = geometry.groups;
        let weight = largest_weights(&operands.weight.values, geometry.groups, shape[1..].iter().product());
        let terms = shape[1..].iter().product::<usize>() + usize::from(largest_bias.is_some());
        let largest_term = largest(&operands.input.values)
            * largest(&weight)
            * operands.mask.as_ref().map_or(1.0, |mask| largest(&mask.values));

        let bias = largest_bias.map(|largest| vec![largest; geometry.groups]);
        let mask = operands.mask.as_ref().map(|mask| absolute(&mask.values));
        let bias_shape = [geometry.groups];
        let mut shapes = operands.map(|operand| operand.shape.as_slice());
        shapes.weight = &shape;
        shapes.bias = bias.as_ref().map(|_| bias_shape.as_slice());
        let input = absolute(&operands.input.values);
        let inputs = Inputs {
            input: input.as_slice(),
            offset: &operands.offset.values,
            weight: weight.as_slice(),
            mask: mask.as_deref(),
            bias: bias.as_deref(),
        };
        let sums = Reference::new(&Geometry::new(shapes, &case.options)?, inputs)?.forward();
        let position = if positions_are_exact(&operands.offset.values) {
            0.0
        } else {
            2.0 * (geometry.in_height + geometry.in_width) as f64 * f64::from(largest_term)
        };
        let scale = UNIT * (terms as f64).sqrt();
        let values = sums.into_iter().map(|sum| scale * (4.0 * sum + position)).collect();
        Ok(Self { geometry, values })
    }

    /// Returns the bound of the output element at `index`.
    fn of(&self, index: usize) -> f64 {
        let g = &self.geometry;
        let pixels = g.out_pixels();
        let (image_and_channel, pixel) = (index / pixels, index % pixels);
        let (image, channel) = (image_and_channel / g.out_channels, image_and_channel % g.out_channels);
        let group = channel / g.out_channels_per_group();
        self.values[(image * g.groups + group) * pixels + pixel]
    }

    /// Compares all elements of an output with the expected ones.
    pub(crate) fn compare(&self, got: &[f32], want: &[f64]) -> Comparison {
        let mut comparison = Comparison::default();
        for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
            comparison.add(index, f64::from(got), want, self.of(index));
        }
        comparison
    }
}

/// Returns the largest |weight| over the output channels of each group, for each input channel and tap.
fn largest_weights(weight: &[f32], groups: usize, row: usize) -> Vec<f32> {
    let mut largest = vec![0f32; groups * row];
    if largest.is_empty() {
        return largest;
    }
    let group_len = weight.len() / groups;
    for (index, value) in weight.iter().enumerate() {
        let slot = &mut largest[index / group_len * row + index % row];
        *slot = slot.max(value.abs());
    }
    largest
}

/// Returns the largest |value|.
pub(crate) fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Reports whether f32 represents every sampling position exactly.
///
/// A position with at most 12 fractional bits needs no more than 24 bits inside an image of less than 4096 pixels per
/// side. Samples further out are 0 whether or not their position is rounded.
fn positions_are_exact(offset: &[f32]) -> bool {
    offset.iter().all(|offset| (offset * 4096.0).fract() == 0.0 && offset.abs() < 2048.0)
}

/// Compares the output elements at the indices `samples` with the reference. The whole reference would take minutes for
/// a large layer.
pub(crate) fn compare_samples(
    geometry: &Geometry,
    inputs: &Inputs<&[f32]>,
    got: &[f32],
    samples: impl IntoIterator<Item = usize>,
) -> deform::Result<Comparison> {
    let absolute = inputs.map(|values| values.iter().map(|value| value.abs()).collect::<Vec<f32>>());
    let mut absolute = absolute.map(|values| values.as_slice());
    absolute.offset = inputs.offset;
    let (reference, absolute) = (Reference::new(geometry, *inputs)?, Reference::new(geometry, absolute)?);
    let terms = geometry.channels_per_group() * geometry.taps() + usize::from(geometry.has_bias);
    let mut comparison = Comparison::default();
    for index in samples {
        let (rest, ox) = (index / geometry.out_width, index % geometry.out_width);
        let (rest, oy) = (rest / geometry.out_height, rest % geometry.out_height);
        let place = [rest / geometry.out_channels, rest % geometry.out_channels, oy, ox];
        let want = reference.output_at(place);
        // The reference rounds the position as the kernel does, so the bound needs no part for that rounding.
        let bound = 4.0 * UNIT * (terms as f64).sqrt() * absolute.output_at(place);
        comparison.add(index, f64::from(got[index]), want, bound);
    }
    Ok(comparison)
}

#[cfg(test)]
mod tests {
    use deform::layers::HostTensor;
    use deform::ops::deform_conv2d::reference::Reference;
    use deform::{Inputs, Options};

    use super::{Bounds, Comparison, UNIT, compare_samples};
    use crate::case::Case;

    /// Two images, two weight groups of three output channels each, mask and bias; values from a linear congruential
    /// generator.
    fn case() -> Case {
        let mut state = 1u32;
        let mut operand = |shape: &[usize], scale: f32| {
            let values = (0..shape.iter().product()).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                scale * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
            });
            HostTensor { shape: shape.to_vec(), values: values.collect() }
        };
        let operands = Inputs {
            input: operand(&[2, 4, 5, 6], 3.0),
            offset: operand(&[2, 18, 5, 6], 2.0),
            weight: operand(&[6, 2, 3, 3], 0.5),
            mask: Some(operand(&[2, 9, 5, 6], 1.0)),
            bias: Some(operand(&[6], 1.0)),
        };
        let options = Options { padding: [1, 1], ..Options::default() };
        Case::new("small", operands, options)
    }

    #[test]
    fn the_bound_of_a_group_is_above_but_near_the_bound_of_each_element() {
        let case = case();
        let geometry = case.geometry().expect("the operands fit together");
        let bounds = Bounds::new(&case).expect("the operands fit together");
        let absolute = case.operands.map(|operand| operand.values.iter().map(|v| v.abs()).collect::<Vec<_>>());
        let mut absolute = absolute.map(|values| values.as_slice());
        absolute.offset = &case.operands.offset.values;
        let sums = Reference::new(&geometry, absolute).expect("operands of the case").forward();
        for (index, sum) in sums.into_iter().enumerate() {
            let ratio = bounds.of(index) / (4.0 * UNIT * 19f64.sqrt() * sum);
            assert!((1.0..40.0).contains(&ratio), "element {index}: {ratio}");
        }
    }

    #[test]
    fn a_comparison_rejects_one_wrong_element_a_nan_and_swapped_axes() {
        let case = case();
        let geometry = case.geometry().expect("the operands fit together");
        let bounds = Bounds::new(&case).expect("the operands fit together");
        let want = Reference::new(&geometry, case.values()).expect("operands of the case").forward();
        let got: Vec<f32> = want.iter().map(|&value| value as f32).collect();
        let all = 0..got.len();
        let accepted = |got: &[f32]| {
            let every = bounds.compare(got, &want).check("the answer").is_ok();
            let sampled = compare_samples(&geometry, &case.values(), got, all.clone())
                .expect("operands of the case")
                .check("the answer")
                .is_ok();
            assert_eq!(every, sampled);
            every
        };
        assert!(accepted(&got));
        for wrong in [got[77] + 1e-3, f32::NAN, f32::INFINITY] {
            let mut got = got.clone();
            got[77] = wrong;
            assert!(!accepted(&got), "{wrong}");
        }
        let transposed: Vec<f32> = (all.clone()).map(|i| got[i / 30 * 30 + i % 5 * 6 + i % 30 / 5]).collect();
        assert!(!accepted(&transposed));
    }

    #[test]
    fn an_exact_element_is_within_any_bound() {
        let mut comparison = Comparison::default();
        comparison.add(0, f64::NAN, f64::NAN, f64::NAN);
        comparison.add(1, f64::INFINITY, f64::INFINITY, f64::INFINITY);
        comparison.add(2, 1.0, 1.0, 0.0);
        assert!(comparison.check("the answer").is_ok());
        comparison.add(3, 1.0, 2.0, f64::NAN);
        assert!(comparison.check("the answer").is_err());
    }
}
