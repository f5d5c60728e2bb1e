//! The error bounds of the results of `deform run` and `deform time`.

use anyhow::{Context, Result};
use deform::Gradients;
use deform::ops::conv2d::Activation;
use deform::ops::deform_conv2d::Operand;
use deform::ops::deform_conv2d::reference::Reference;
use deform_case::{Answer, ErrorBound, ErrorBounds, UNIT, activated, sigmoid_factor};

use crate::case::Case;
use crate::numbers::rounded;

/// The description of the bounds in `--help`.
pub(crate) const BOUND: &str = "\
The bound of an element that sums n terms, of the output or of a gradient, is 10 * 2^-24 * sqrt(n) * sum|terms|: a \
term takes up to 9 roundings in f32, and the errors of a sum grow like a random walk. If positions are not exact in \
f32, the bound grows by the difference that rounding them makes to each term. sum|terms| and the differences come \
from the CPU reference, and only from values that the element reads. An answer in f32 has such an error itself, so \
the first part counts twice. Where the answer is infinite or NaN, the result must be just that; with infinite \
terms, an infinity and NaN may stand for each other. If sum|terms| passes \
the largest f32, the result may be infinite or NaN.

cycle_fc and conv2d are sums of the same kind, and an activation adds its own roundings. shift must be exact; its \
gradient adds two numbers at most. deformable_conv2d chains two convolutions, and the bound of every element is 1e-4 \
times the answer's largest finite absolute value.";

/// The bound of an element of a layer, as a fraction of the largest absolute value of the answer.
const OF_LARGEST: f64 = 1e-4;

/// How the error bounds of an operator's results are found.
pub(crate) enum Bounds {
    /// From the terms of a deformable convolution's sums.
    Sums(Box<Sums>),
    /// From the answer: nothing is computed but sums of two numbers in the gradient.
    Shift,
    /// From the largest absolute value of the answer.
    Layer,
}

/// A deformable convolution and what follows it.
pub(crate) struct Sums {
    case: Case,
    activation: Activation,
    /// The bounds of the gradients, once they are wanted.
    gradients: Option<Gradients<Option<Vec<ErrorBound>>>>,
}

impl Bounds {
    pub(crate) fn of_sums(case: Case) -> Self {
        Self::Sums(Box::new(Sums { case, activation: Activation::Identity, gradients: None }))
    }

    pub(crate) fn of_conv2d(case: Case, activation: Activation) -> Self {
        Self::Sums(Box::new(Sums { case, activation, gradients: None }))
    }

    /// Returns the bounds of all elements of a result.
    pub(crate) fn of(&mut self, result: &str, answer: &Answer) -> Result<Vec<ErrorBound>> {
        let values = answer.values.iter();
        match self {
            Self::Sums(sums) => {
                let bounds = sums.of(result)?;
                let of_two = |bound: ErrorBound| if answer.is_f32 { bound.of_two_results() } else { bound };
                Ok(bounds.into_iter().map(of_two).collect())
            }
            Self::Shift if result == "output" => Ok(values.map(|_| ErrorBound::fixed(0.0)).collect()),
            Self::Shift => Ok(values.map(|value| ErrorBound::fixed(UNIT * value.abs())).collect()),
            Self::Layer => {
                let finite = values.clone().filter(|value| value.is_finite());
                let largest = finite.fold(0.0, |largest: f64, value| largest.max(value.abs()));
                Ok(values.map(|_| ErrorBound::fixed(OF_LARGEST * largest)).collect())
            }
        }
    }
}

impl Sums {
    fn of(&mut self, result: &str) -> Result<Vec<ErrorBound>> {
        let geometry = self.case.geometry()?;
        let reference = Reference::new(&geometry, self.case.values())?.with_exact_positions();
        let bounds = ErrorBounds::new(reference);
        let Some(operand) = Operand::ALL.into_iter().find(|operand| operand.gradient_name() == result) else {
            return Ok(match self.activation {
                Activation::Identity => bounds.output(),
                activation => activated(activation, &reference.forward(), bounds.output()).1,
            });
        };
        let gradients = match &mut self.gradients {
            Some(gradients) => gradients,
            none => {
                let grad_output = self.case.grad_output.as_ref().context("the file has no grad_output")?;
                none.insert(gradients(&reference, &bounds, self.activation, &grad_output.values)?)
            }
        };
        gradients[operand].clone().with_context(|| format!("the call has no {operand}"))
    }
}

/// Returns the bounds of the gradients. Behind an activation a term has one more factor, the activation's derivative,
/// whose error adds the sum of the terms with that error in its place.
fn gradients(
    reference: &Reference<'_>,
    bounds: &ErrorBounds<'_>,
    activation: Activation,
    grad_output: &[f32],
) -> Result<Gradients<Option<Vec<ErrorBound>>>> {
    if activation == Activation::Identity {
        return Ok(bounds.gradients(grad_output)?);
    }
    let linear = reference.forward();
    let of_linear = bounds.output();
    let (outputs, of_outputs) = activated(activation, &linear, of_linear.clone());
    let mut grads = Vec::new();
    let mut errors = Vec::new();
    for (n, grad) in grad_output.iter().enumerate() {
        let (slope, error) = match sigmoid_factor(activation) {
            // The device may see another sign of a sum that is within its bound of 0.
            None => (f64::from(linear[n] > 0.0), f64::from(linear[n].abs() <= of_linear[n].error())),
            // output · (1 − output / factor): its derivative by the output is at most 1. A division counts as five
            // roundings, and three more follow.
            Some(factor) => (outputs[n] * (1.0 - outputs[n] / factor), of_outputs[n].error() + 8.0 * UNIT * outputs[n]),
        };
        grads.push(rounded(f64::from(*grad) * slope));
        errors.push(rounded(f64::from(*grad) * error));
    }
    let (of_grads, of_errors) = (bounds.gradients(&grads)?, bounds.gradients(&errors)?);
    Ok(Gradients::from_fn(|operand| {
        let (bounds, errors) = of_grads[operand].as_ref().zip(of_errors[operand].as_ref())?;
        let sum = |(bound, error): (&ErrorBound, &ErrorBound)| ErrorBound {
            roundings: bound.roundings + error.terms + error.error(),
            ..*bound
        };
        Some(bounds.iter().zip(errors).map(sum).collect())
    }))
}
