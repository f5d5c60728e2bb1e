//! What the gradients of a case should be, and how far an f32 result may be from them.

use deform::ops::deform_conv2d::reference::Reference;
use deform::{Gradients, Inputs};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::case::Case;
use super::compare::compare;

/// The reference's gradients, and the sums of their terms' absolute values.
pub struct Expected {
    pub value: Gradients<Option<Vec<f64>>>,
    magnitude: Gradients<Option<Vec<f64>>>,
    terms: Gradients<usize>,
}

impl Case {
    /// A gradient of the output in −1…1, the same for the same case.
    pub fn grad_output(&self) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(0x6AAD);
        let elements: usize = self.geometry().output_shape().iter().product();
        (0..elements).map(|_| rng.random_range(-1.0f32..1.0)).collect()
    }

    pub fn expected_gradients(&self, grad_output: &[f32]) -> Expected {
        let g = self.geometry();
        let absolute = |values: &[f32]| values.iter().map(|value| value.abs()).collect::<Vec<f32>>();
        let mut magnitudes: Inputs<Vec<f32>> = self.operands.map(|operand| absolute(operand));
        magnitudes.offset.clone_from(&self.operands.offset);
        let grad_magnitude = absolute(grad_output);
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
            // The most that an element may have: every tap of every pixel may read one pixel of the input.
            terms: Gradients {
                input: rows * g.taps() * g.out_pixels(),
                offset: 4 * channels * rows,
                weight: pixels,
                mask: channels * rows,
                bias: pixels,
            },
        }
    }

    /// `∂sample/∂y` is at most twice the largest pixel.
    fn offset_magnitude(&self, absolute: &Inputs<Vec<f32>>, grad_output: &[f32]) -> Vec<f64> {
        let g = self.geometry();
        let (taps, pixels) = (g.taps(), g.out_pixels());
        let largest = f64::from(absolute.input.iter().copied().fold(0.0, f32::max));
        let mut magnitude = vec![0.0; absolute.offset.len()];
        for (b, c, tap) in
            (0..g.batch).flat_map(|b| (0..g.in_channels).flat_map(move |c| (0..taps).map(move |tap| (b, c, tap))))
        {
            let (group, channel) = (c / g.channels_per_group(), c % g.channels_per_group());
            let plane = (b * g.offset_groups + c / g.channels_per_offset_group()) * taps + tap;
            for pixel in 0..pixels {
                let mask = absolute.mask.as_ref().map_or(1.0, |mask| f64::from(mask[plane * pixels + pixel]));
                let rows = group * g.out_channels_per_group()..(group + 1) * g.out_channels_per_group();
                let grad: f64 = rows
                    .map(|o| {
                        let weight = absolute.weight[(o * g.channels_per_group() + channel) * taps + tap];
                        f64::from(weight) * f64::from(grad_output[(b * g.out_channels + o) * pixels + pixel])
                    })
                    .sum();
                for axis in 0..2 {
                    magnitude[(2 * plane + axis) * pixels + pixel] += 2.0 * largest * mask * grad;
                }
            }
        }
        magnitude
    }
}

impl Expected {
    /// Compares what there is of `got`; returns the worst ratio of error to bound.
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
