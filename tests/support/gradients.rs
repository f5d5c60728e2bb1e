//! The expected gradients of a case, and the comparison of f32 results with them.

use deform::ops::deform_conv2d::reference::Reference;
use deform::{Gradients, Inputs};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::case::Case;
use super::compare::compare;

/// The reference's gradients, the sums of their terms' absolute values, and their numbers of terms.
pub struct Expected {
    pub value: Gradients<Option<Vec<f64>>>,
    magnitude: Gradients<Option<Vec<f64>>>,
    terms: Gradients<usize>,
}

impl Case {
    /// Returns a random gradient of the output in −1…1. The same shape gets the same gradient.
    pub fn grad_output(&self) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(0x6AAD);
        let elements: usize = self.geometry().output_shape().iter().product();
        (0..elements).map(|_| rng.random_range(-1.0f32..1.0)).collect()
    }

    pub fn expected_gradients(&self, grad_output: &[f32]) -> Expected {
        let g = self.geometry();
        let magnitudes = self.absolute();
        let grad_magnitude: Vec<f32> = grad_output.iter().map(|value| value.abs()).collect();
        let backward = |inputs: Inputs<&[f32]>, grad: &[f32]| {
            let reference = Reference::new(&g, inputs).unwrap();
            reference.with_border_gradient(self.options.border_gradient).backward(grad).unwrap()
        };
        let mut magnitude = backward(magnitudes.map(Vec::as_slice), &grad_magnitude);
        magnitude.offset = Some(self.offset_magnitude(&magnitudes, &grad_magnitude));
        let rows = g.out_channels_per_group();
        let pixels = g.batch * g.out_pixels();
        let channels = g.channels_per_offset_group();
        Expected {
            value: backward(self.slices(), grad_output),
            magnitude,
            // The largest possible numbers: every tap of every output pixel may read the same pixel of the input.
            terms: Gradients {
                input: rows * g.taps() * g.out_pixels(),
                offset: 4 * channels * rows,
                weight: pixels,
                mask: channels * rows,
                bias: pixels,
            },
        }
    }

    /// Returns bounds on the sums of the absolute terms of the offset's gradient: `∂sample/∂y` is at most twice the
    /// largest pixel.
    fn offset_magnitude(&self, absolute: &Inputs<Vec<f32>>, grad_output: &[f32]) -> Vec<f64> {
        let g = self.geometry();
        let (taps, pixels) = (g.taps(), g.out_pixels());
        let largest = f64::from(absolute.input.iter().copied().fold(0.0, f32::max));
        let mut magnitude = vec![0.0; absolute.offset.len()];
        // The sum over the output channels of the terms of one column.
        let column_grad = |b: usize, c: usize, tap: usize, pixel: usize| -> f64 {
            let (group, channel) = (c / g.channels_per_group(), c % g.channels_per_group());
            let rows = group * g.out_channels_per_group()..(group + 1) * g.out_channels_per_group();
            let term = |o: usize| {
                let weight = absolute.weight[(o * g.channels_per_group() + channel) * taps + tap];
                f64::from(weight) * f64::from(grad_output[(b * g.out_channels + o) * pixels + pixel])
            };
            rows.map(term).sum()
        };
        for b in 0..g.batch {
            for c in 0..g.in_channels {
                for tap in 0..taps {
                    let plane = (b * g.offset_groups + c / g.channels_per_offset_group()) * taps + tap;
                    for pixel in 0..pixels {
                        let mask = absolute.mask.as_ref().map_or(1.0, |mask| f64::from(mask[plane * pixels + pixel]));
                        let bound = 2.0 * largest * mask * column_grad(b, c, tap, pixel);
                        for axis in 0..2 {
                            magnitude[(2 * plane + axis) * pixels + pixel] += bound;
                        }
                    }
                }
            }
        }
        magnitude
    }
}

impl Expected {
    /// Compares the gradients that `got` has. Returns the worst ratio of error to bound, or a message about the first
    /// element beyond its bound.
    pub fn compare(&self, got: &Gradients<Option<Vec<f32>>>) -> Result<f64, String> {
        let mut worst = 0.0;
        for (operand, got) in got.iter() {
            let Some(got) = got else { continue };
            let (want, magnitude) = (self.value[operand].as_ref().unwrap(), self.magnitude[operand].as_ref().unwrap());
            let ratio = compare(got, want, magnitude, self.terms[operand]);
            let ratio = ratio.map_err(|error| format!("gradient of {operand}: {error}"))?;
            worst = f64::max(worst, ratio);
        }
        Ok(worst)
    }
}
