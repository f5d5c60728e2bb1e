//! The error bounds of computed gradients.
//!
//! The bound of an element follows [`accuracy`](crate::accuracy), with the operands' largest values in place of the
//! actual terms. The element sums n terms of at most t in absolute value, and m is the number of terms, each weighted
//! by its bilinear factor, or by its |mask| relative to the largest |mask|.
//!
//! ```text
//! bound = u·√n·(4·m + 2·(in_height + in_width))·t
//! ```
//!
//! The derivative with respect to the position jumps at whole numbers. If rounding the position to f32 carries it
//! across a whole number, the derivatives of both sides are acceptable, and the element is not compared.

use anyhow::{Context, Result};
use deform::ops::deform_conv2d::Operand;

use crate::accuracy::{Comparison, UNIT, largest};
use crate::case::Case;
use crate::positions::Positions;

/// The description of the bound in `--help`.
pub(crate) const BOUND: &str = "\
The bound of an element of a gradient that sums n terms is 2^-24 * sqrt(n) * (4 * m + 2 * (in_height + in_width)) * \
t. Here t is the largest term that the operands' largest values allow, and m is the number of terms, each weighted by \
its bilinear factor, or by its |mask| relative to the largest. An element of grad_offset is not compared if rounding \
its position to f32 carries it across a whole number, because the derivative jumps there.";

/// The values from which the bounds of all gradient elements follow.
pub(crate) struct Bounds<'a> {
    positions: Positions<'a>,
    mask: Option<&'a [f32]>,
    /// The number of taps that read each input pixel of each (image, offset group), and the sum of their |mask|.
    readers: Vec<(u32, f64)>,
    /// The largest |value| of the input.
    input: f64,
    /// The largest |value| of the weight.
    weight: f64,
    /// The largest |value| of the mask, 1 without a mask.
    largest_mask: f64,
    /// The largest |value| of the gradient of the output.
    grad: f64,
}

impl<'a> Bounds<'a> {
    pub(crate) fn new(case: &'a Case) -> Result<Self> {
        let values = case.values();
        let grad_output = case.grad_output.as_ref().context("the file has no grad_output")?;
        let mut bounds = Self {
            positions: Positions::new(case.geometry()?, values.offset),
            mask: values.mask,
            readers: Vec::new(),
            input: f64::from(largest(values.input)),
            weight: f64::from(largest(values.weight)),
            largest_mask: values.mask.map_or(1.0, |mask| f64::from(largest(mask))),
            grad: f64::from(largest(&grad_output.values)),
        };
        bounds.readers = bounds.count_readers();
        Ok(bounds)
    }

    /// Compares all elements of the gradient of `operand` with the expected ones.
    pub(crate) fn compare(&self, operand: Operand, got: &[f32], want: &[f64]) -> Comparison {
        let mut comparison = Comparison::default();
        for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
            if let Some(bound) = self.of(operand, index) {
                comparison.add(index, f64::from(got), want, bound);
            }
        }
        comparison
    }

    fn count_readers(&self) -> Vec<(u32, f64)> {
        let g = &self.positions.geometry;
        let mut readers = vec![(0, 0.0); g.batch * g.offset_groups * g.in_pixels()];
        let pixels = g.out_pixels();
        for plane in 0..g.batch * g.offset_groups * g.taps() {
            for pixel in 0..pixels {
                let position = self.positions.rounded(plane, pixel);
                if !self.positions.is_inside(position) {
                    continue;
                }
                let mask = self.mask.map_or(1.0, |mask| f64::from(mask[plane * pixels + pixel].abs()));
                for corner in self.positions.corners(position).into_iter().flatten() {
                    let at = plane / g.taps() * g.in_pixels() + corner;
                    readers[at].0 += 1;
                    readers[at].1 += mask;
                }
            }
        }
        readers
    }

    /// Returns the bound of an element, or `None` if two values are acceptable (see the module).
    pub(crate) fn of(&self, operand: Operand, index: usize) -> Option<f64> {
        let g = &self.positions.geometry;
        let pixels = g.out_pixels();
        let rows = g.out_channels_per_group();
        let channels = g.channels_per_offset_group();
        let grad_column = self.weight * self.grad;
        let all_pixels = g.batch * pixels;
        let slope = 2.0 * (g.in_height + g.in_width) as f64;
        let bound = |terms: usize, effective: f64, largest: f64| {
            UNIT * (terms.max(1) as f64).sqrt() * (4.0 * effective + slope) * largest
        };
        Some(match operand {
            Operand::Input => {
                let (channel, pixel) = (index / g.in_pixels(), index % g.in_pixels());
                let (image, channel) = (channel / g.in_channels, channel % g.in_channels);
                let group = image * g.offset_groups + channel / channels;
                let (readers, mask) = self.readers[group * g.in_pixels() + pixel];
                let effective = if mask > 0.0 { rows as f64 * mask / self.largest_mask } else { 0.0 };
                bound(readers as usize * rows, effective, self.largest_mask * grad_column)
            }
            Operand::Offset => {
                let (plane, pixel) = (index / pixels / 2, index % pixels);
                let crosses =
                    |position: f64| position.is_finite() && position.floor() != f64::from(position as f32).floor();
                if self.positions.exact(plane, pixel).into_iter().any(crosses) {
                    return None;
                }
                let mask = self.mask.map_or(1.0, |mask| f64::from(mask[plane * pixels + pixel].abs()));
                bound(4 * channels * rows, (channels * rows) as f64, 2.0 * self.input * mask * grad_column)
            }
            Operand::Mask => bound(channels * rows, (channels * rows) as f64, self.input * grad_column),
            Operand::Weight => bound(all_pixels, all_pixels as f64, self.input * self.largest_mask * self.grad),
            Operand::Bias => bound(all_pixels, all_pixels as f64, self.grad),
        })
    }
}
