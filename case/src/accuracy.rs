//! The error bounds of results computed in f32, and the comparison of results with expected values. The command-line
//! tool and the tests share them.
//!
//! An element of the output or of a gradient is a sum of n terms, each a product with a sample or a corner of one. The
//! bound of its error follows from these terms alone, with the unit roundoff u = 2⁻²⁴:
//!
//! ```text
//! bound = 10·u·√n·Σ|terms| + Σ|changes of the terms by rounding their positions to f32| + n·2⁻¹²⁶
//! ```
//!
//! - A term goes through at most 9 roundings, each with a relative error of u: `1 − dy`, `1 − dx`, their product, times
//!   the pixel, three additions of corners, and two of mask, weight and `grad_output`. `dy` and `dx` are exact, except
//!   in (−1, 0), where the corners with `1 − dy` or `1 − dx` lie outside. A term of `grad_offset` goes through at most 8:
//!   `1 − dx`, a difference of pixels, their product, an addition, and one each of mask, column gradient, weight and
//!   `grad_output`.
//! - The errors of adding n terms have random signs and grow like √n. Together that is 9 + √n ≤ 10·√n, also for n = 1.
//! - The kernels round a position once. If the expected values come from exact positions, the second part is the
//!   difference that this rounding makes to the terms. It follows from the pixels that the element reads.
//! - A device may replace a product below f32's smallest normal number, 2⁻¹²⁶, by 0.
//!
//! A wrong tap, a swapped axis or a missing term causes an error of the size of a whole term.

use deform::Gradients;
use deform::ops::activation::Activation;
use deform::ops::deform_conv2d::reference::Reference;
use deform::ops::deform_conv2d::{Geometry, Operand};

/// The unit roundoff of f32, 2⁻²⁴.
pub const UNIT: f64 = 1.0 / (1 << 24) as f64;
/// The factor of u·√n·Σ|terms|: 9 roundings within a term, and √n for the sum.
const ROUNDINGS: f64 = 10.0;

/// The bound of the error of one element.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ErrorBound {
    /// The part that rounded operations cause.
    pub roundings: f64,
    /// The part that rounded positions cause.
    pub position: f64,
    /// Σ|terms|.
    pub terms: f64,
}

impl ErrorBound {
    fn new(count: usize, terms: f64, position: f64) -> Self {
        let count = count as f64;
        let roundings = ROUNDINGS * UNIT * count.sqrt() * terms + count * f64::from(f32::MIN_POSITIVE);
        Self { roundings, position, terms }
    }

    /// Returns the bound of an error with no terms to follow from.
    #[must_use]
    pub fn fixed(error: f64) -> Self {
        Self { roundings: error, ..Self::default() }
    }

    /// Returns the bound of the difference of two results in f32.
    #[must_use]
    pub fn of_two_results(self) -> Self {
        Self { roundings: 2.0 * self.roundings, ..self }
    }

    /// Returns the largest error.
    #[must_use]
    pub fn error(self) -> f64 {
        self.roundings + self.position
    }

    /// Reports whether a finite sum of these terms may pass f32's largest number on its way.
    fn may_overflow(self) -> bool {
        self.terms.is_finite() && self.terms + self.error() > f64::from(f32::MAX)
    }
}

/// The bounds of all elements of a call's output and gradients.
#[derive(Debug, Clone)]
pub struct ErrorBounds<'a> {
    geometry: &'a Geometry,
    magnitudes: Reference<'a>,
    /// `None` if all errors are 0.
    position_errors: Option<Reference<'a>>,
}

impl<'a> ErrorBounds<'a> {
    /// Takes the reference that computes the expected values. If its positions are exact, the bounds include the
    /// rounding of positions.
    #[must_use]
    pub fn new(reference: Reference<'a>) -> Self {
        let position_errors = (!reference.positions_are_f32()).then(|| reference.position_errors());
        Self { geometry: reference.geometry(), magnitudes: reference.magnitudes(), position_errors }
    }

    /// Returns the bounds of the output's elements.
    #[must_use]
    pub fn output(&self) -> Vec<ErrorBound> {
        let position = self.position_errors.map(|reference| reference.forward());
        bounds(&self.magnitudes.forward(), position.as_deref(), |_| self.output_terms())
    }

    /// Returns the bound of the output's element at `[b, o, oy, ox]`.
    ///
    /// # Panics
    /// Panics if there is no such element.
    #[must_use]
    pub fn output_at(&self, at: [usize; 4]) -> ErrorBound {
        let position = self.position_errors.map_or(0.0, |reference| reference.output_at(at));
        ErrorBound::new(self.output_terms(), self.magnitudes.output_at(at), position)
    }

    /// Returns the bounds of the gradients' elements.
    ///
    /// # Errors
    /// Returns [`deform::Error::ElementCount`] if `grad_output` has another number of elements than the output.
    pub fn gradients(&self, grad_output: &[f32]) -> deform::Result<Gradients<Option<Vec<ErrorBound>>>> {
        let magnitudes = self.magnitudes.backward(grad_output)?;
        let position = self.position_errors.map(|reference| reference.backward(grad_output)).transpose()?;
        let readers = self.magnitudes.readers();
        Ok(Gradients::from_fn(|operand| {
            let position = position.as_ref().and_then(|gradients| gradients[operand].as_deref());
            let terms = |n| self.gradient_terms(operand, n, &readers);
            magnitudes[operand].as_ref().map(|magnitudes| bounds(magnitudes, position, terms))
        }))
    }

    /// Returns the bounds of the elements `at`, in row-major order, of the gradient of an operand.
    ///
    /// # Panics
    /// Panics if there is no such element, or if `grad_output` is shorter than the output.
    #[must_use]
    pub fn gradient_at(&self, operand: Operand, grad_output: &[f32], at: &[usize]) -> Vec<ErrorBound> {
        let readers = if operand == Operand::Input { self.magnitudes.readers() } else { Vec::new() };
        let of = |reference: Reference<'_>, n| reference.gradient_at(operand, grad_output, n);
        let bound = |&n: &usize| {
            let position = self.position_errors.map_or(0.0, |reference| of(reference, n));
            ErrorBound::new(self.gradient_terms(operand, n, &readers), of(self.magnitudes, n), position)
        };
        at.iter().map(bound).collect()
    }

    /// Returns the number of terms of an element of the output.
    fn output_terms(&self) -> usize {
        let g = self.geometry;
        g.channels_per_group() * g.taps() + usize::from(g.has_bias)
    }

    /// Returns the number of terms of an element of a gradient.
    fn gradient_terms(&self, operand: Operand, n: usize, readers: &[u32]) -> usize {
        let g = self.geometry;
        let rows = g.out_channels_per_group();
        match operand {
            Operand::Input => {
                let group = n / g.in_pixels() / g.channels_per_offset_group();
                rows * readers[group * g.in_pixels() + n % g.in_pixels()] as usize
            }
            Operand::Offset | Operand::Mask => rows * g.channels_per_offset_group(),
            Operand::Weight | Operand::Bias => g.batch * g.out_pixels(),
        }
    }
}

fn bounds(terms: &[f64], position: Option<&[f64]>, count: impl Fn(usize) -> usize) -> Vec<ErrorBound> {
    let position = |n: usize| position.map_or(0.0, |position| position[n]);
    terms.iter().enumerate().map(|(n, &terms)| ErrorBound::new(count(n), terms, position(n))).collect()
}

/// Returns the factor of the sigmoid if the activation is one.
#[must_use]
pub fn sigmoid_factor(activation: Activation) -> Option<f64> {
    match activation {
        Activation::Identity | Activation::Relu => None,
        Activation::Sigmoid => Some(1.0),
        Activation::TwiceSigmoid => Some(2.0),
    }
}

/// Returns the activation of each sum, and its bound. ReLU is nowhere steeper than 1 and rounds nothing. A sigmoid is
/// nowhere steeper than 1/4. In WGSL an exponential of x has an error of 2·(3 + 2·|x|) roundings, which the sigmoid
/// reduces to 1 − σ of it. One rounding by an addition and five by a division follow.
#[must_use]
pub fn activated(activation: Activation, linear: &[f64], bounds: Vec<ErrorBound>) -> (Vec<f64>, Vec<ErrorBound>) {
    let of = |(&value, bound): (&f64, ErrorBound)| match sigmoid_factor(activation) {
        None if activation == Activation::Relu && value < 0.0 => (0.0, bound),
        None => (value, bound),
        Some(factor) => {
            let sigmoid = 1.0 / (1.0 + (-value).exp());
            let own = sigmoid * UNIT * ((6.0 + 4.0 * value.abs()) * (1.0 - sigmoid) + 6.0);
            // An infinite sum is exactly 0 or 1 behind the sigmoid.
            let sum = if value.is_infinite() { 0.0 } else { bound.error() / 4.0 + own };
            (factor * sigmoid, ErrorBound::fixed(factor * sum))
        }
    };
    linear.iter().zip(bounds).map(of).unzip()
}

/// The error of a result that does not match the expected one.
#[derive(Debug)]
pub struct Mismatch(pub String);

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// The outcome of a comparison: the largest error, and the element that comes closest to its bound or exceeds it most.
#[derive(Debug, Clone, Copy, Default)]
pub struct Comparison {
    /// The largest |got − want|; infinite if a result should have been another number that is not finite.
    pub max_abs_error: f64,
    /// The largest error ÷ bound.
    pub worst_ratio: f64,
    /// The element with the largest ratio.
    pub worst: Worst,
}

/// One compared element: its index in the result, its computed and its expected value, and the bound of its error.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "the description of the struct names each field")]
pub struct Worst {
    pub index: usize,
    pub got: f64,
    pub want: f64,
    pub bound: f64,
}

impl Comparison {
    /// Compares all elements of a result with the expected ones. The three have the same number of elements.
    #[must_use]
    pub fn of(got: &[f32], want: &[f64], bounds: impl IntoIterator<Item = ErrorBound>) -> Self {
        let mut comparison = Self::default();
        for (index, ((&got, &want), bound)) in got.iter().zip(want).zip(bounds).enumerate() {
            comparison.add(index, f64::from(got), want, bound);
        }
        comparison
    }

    /// Adds one element to the comparison.
    ///
    /// An element must be as infinite or NaN as the expected one. If a sum of its terms may pass f32's largest number,
    /// every infinity and NaN is accepted. If a term is infinite, an infinity and NaN may stand for each other: kernels
    /// add in another order, in which infinite parts of a sum may or may not cancel.
    pub fn add(&mut self, index: usize, got: f64, want: f64, bound: ErrorBound) {
        let infinite_terms = bound.terms.is_infinite();
        let not_finite = |value: f64| value.is_nan() || infinite_terms && value.is_infinite();
        let same = got == want || (not_finite(got) && not_finite(want) && (got.is_nan() || want.is_nan()));
        let error = if same || (!got.is_finite() && bound.may_overflow()) { 0.0 } else { (got - want).abs() };
        let error = if error.is_nan() { f64::INFINITY } else { error };
        // An infinite or NaN term has no bound to follow from, and the answer is not finite.
        let bound = if bound.error().is_finite() { bound.error() } else { 0.0 };
        let ratio = if error == 0.0 { 0.0 } else { error / bound };
        self.max_abs_error = self.max_abs_error.max(error);
        if ratio >= self.worst_ratio {
            self.worst_ratio = ratio;
            self.worst = Worst { index, got, want, bound };
        }
    }

    /// Checks that every element is within its bound.
    ///
    /// # Errors
    /// Returns an error that names the worst element if that element exceeds its bound.
    pub fn check(&self, what: &str) -> Result<(), Mismatch> {
        if self.worst_ratio <= 1.0 {
            return Ok(());
        }
        let Worst { index, got, want, bound } = self.worst;
        Err(Mismatch(format!(
            "the result does not match {what}: element {index} is {got}, expected {want} ± {bound:.1e}"
        )))
    }
}
