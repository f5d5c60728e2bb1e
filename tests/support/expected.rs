//! The expected output and gradients of a case, and the comparison of f32 results with them.

use deform::Gradients;
use deform::ops::deform_conv2d::reference::Reference;
use deform_case::{ErrorBound, ErrorBounds};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::case::Case;
use super::compare::compare;

/// The reference's gradients and the bounds of their elements.
pub struct Expected {
    pub value: Gradients<Option<Vec<f64>>>,
    bounds: Gradients<Option<Vec<ErrorBound>>>,
}

impl Case {
    /// Returns the reference's output and the bounds of its elements.
    pub fn expected(&self) -> (Vec<f64>, Vec<ErrorBound>) {
        let geometry = self.geometry();
        let reference = Reference::new(&geometry, self.slices()).unwrap();
        (reference.forward(), ErrorBounds::new(reference).output())
    }

    /// The same as [`Case::expected`], for the output elements `at` alone.
    pub fn expected_at(&self, at: &[[usize; 4]]) -> (Vec<f64>, Vec<ErrorBound>) {
        let geometry = self.geometry();
        let reference = Reference::new(&geometry, self.slices()).unwrap();
        let bounds = ErrorBounds::new(reference);
        at.iter().map(|&at| (reference.output_at(at), bounds.output_at(at))).unzip()
    }

    /// Returns the bounds of the output's elements if the expected ones come from positions that are not rounded.
    pub fn bounds_at_exact_positions(&self) -> Vec<ErrorBound> {
        let geometry = self.geometry();
        ErrorBounds::new(Reference::new(&geometry, self.slices()).unwrap().with_exact_positions()).output()
    }

    /// Returns a random gradient of the output in −1…1. The same shape gets the same gradient.
    pub fn grad_output(&self) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(0x6AAD);
        let elements: usize = self.geometry().output_shape().iter().product();
        (0..elements).map(|_| rng.random_range(-1.0f32..1.0)).collect()
    }

    pub fn expected_gradients(&self, grad_output: &[f32]) -> Expected {
        self.gradients_by(grad_output, |reference| reference)
    }

    /// The same as [`Case::expected_gradients`], with positions that are not rounded.
    pub fn gradients_at_exact_positions(&self, grad_output: &[f32]) -> Expected {
        self.gradients_by(grad_output, |reference| reference.with_exact_positions())
    }

    fn gradients_by(&self, grad_output: &[f32], by: impl Fn(Reference<'_>) -> Reference<'_>) -> Expected {
        let geometry = self.geometry();
        let reference = Reference::new(&geometry, self.slices()).unwrap();
        let reference = by(reference.with_border_gradient(self.options.border_gradient));
        Expected {
            value: reference.backward(grad_output).unwrap(),
            bounds: ErrorBounds::new(reference).gradients(grad_output).unwrap(),
        }
    }
}

impl Expected {
    /// Compares the gradients that `got` has. Returns the worst ratio of error to bound, or a message about the worst
    /// element beyond its bound.
    pub fn compare(&self, got: &Gradients<Option<Vec<f32>>>) -> Result<f64, String> {
        let mut worst = 0.0;
        for (operand, got) in got.iter() {
            let Some(got) = got else { continue };
            let (want, bounds) = (self.value[operand].as_ref().unwrap(), self.bounds[operand].as_ref().unwrap());
            let ratio = compare(got, want, bounds);
            let ratio = ratio.map_err(|error| format!("gradient of {operand}: {error}"))?;
            worst = f64::max(worst, ratio);
        }
        Ok(worst)
    }
}
