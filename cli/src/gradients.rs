//! The gradients of a case: computed, compared with the file's answers, written.
//!
//! The bound of an element that sums n terms, none of them larger than t in absolute value, m of them effective (a corner's weight
//! counts as a part of one), is that of [`accuracy`](crate::accuracy) with the worst that the operands' largest values allow:
//!
//! ```text
//! bound = u·√n·(4·m + 2·(in_height + in_width))·t
//! ```
//!
//! The derivative by the position jumps where that is a whole number. Where rounding it to f32 carries it across one, either side's
//! derivative is right, and the element is left out.

use anyhow::{Context, Result, ensure};
use deform::ops::deform_conv2d::Geometry;
use deform::{DeformConv2d, Gpu, Gradients, Inputs, Operand, Options, Tensor};

use crate::accuracy::{Comparison, Mismatch, UNIT, largest};
use crate::case::Case;

/// The bound in words, for `--help`.
pub(crate) const BOUND: &str = "\
The bound of an element of a gradient is 2^-24 * sqrt(n) * (4 * m + 2 * (in_height + in_width)) * t for n terms of at most t, m \
of them effective, from the operands' largest values. An element of grad_offset is left out where rounding its position to f32 \
carries it across a whole number, where the derivative jumps.";

/// Tensors and their values on the host.
pub(crate) type Values = Gradients<Option<(Vec<usize>, Vec<f32>)>>;

/// The gradient of the output, on the device.
pub(crate) fn upload(gpu: &Gpu, case: &Case) -> Result<Tensor> {
    let grad_output = case.grad_output.as_ref().context("the backward pass needs a tensor grad_output in the file")?;
    Ok(Tensor::upload(gpu, &grad_output.shape, &grad_output.values)?)
}

/// All gradients that the case has.
pub(crate) fn compute(
    op: &DeformConv2d,
    inputs: &Inputs<&Tensor>,
    grad_output: &Tensor,
    options: Options,
) -> deform::Result<Gradients<Option<Tensor>>> {
    op.backward(inputs, grad_output, Gradients::ALL, options)
}

/// The gradients, read back.
pub(crate) fn download(gradients: &Gradients<Option<Tensor>>) -> Result<Values> {
    let values = |gradient: &Tensor| Ok((gradient.shape().to_vec(), gradient.download::<f32>()?));
    Gradients::try_from_fn(|operand| gradients[operand].as_ref().map(values).transpose())
}

/// Each gradient that the file has an answer to, compared with it.
pub(crate) fn compare(case: &Case, values: &Values) -> Result<Gradients<Option<Comparison>>> {
    let bounds = Bounds::new(case)?;
    Gradients::try_from_fn(|operand| {
        let (Some((shape, values)), Some(answer)) = (&values[operand], &case.grad_answers[operand]) else {
            return Ok(None);
        };
        ensure!(
            answer.shape == *shape,
            Mismatch(format!(
                "the gradient of {operand} has shape {shape:?}, the file's {} has {:?}",
                answer.name, answer.shape
            ))
        );
        let mut comparison = Comparison::default();
        for (index, (&got, &want)) in values.iter().zip(&answer.values).enumerate() {
            if let Some(bound) = bounds.of(operand, index) {
                comparison.add(index, f64::from(got), want, bound);
            }
        }
        Ok(Some(comparison))
    })
}

/// An error that names the worst element of the first gradient that is off by more than its bound.
pub(crate) fn check(case: &Case, comparisons: &Gradients<Option<Comparison>>) -> Result<(), Mismatch> {
    for (operand, comparison) in comparisons.iter() {
        if let (Some(comparison), Some(answer)) = (comparison, &case.grad_answers[operand]) {
            comparison.check(&format!("the file's {}", answer.name))?;
        }
    }
    Ok(())
}

/// The bounds of all gradients.
pub(crate) struct Bounds<'a> {
    geometry: Geometry,
    offset: &'a [f32],
    mask: Option<&'a [f32]>,
    /// For each pixel of each (image, offset group): how many taps read it, and the sum of their |mask|.
    readers: Vec<(u32, f64)>,
    /// The largest |value| of input, weight, mask and the gradient of the output.
    input: f64,
    weight: f64,
    largest_mask: f64,
    grad: f64,
}

impl<'a> Bounds<'a> {
    pub(crate) fn new(case: &'a Case) -> Result<Self> {
        let values = case.values();
        let grad_output = case.grad_output.as_ref().context("the file has no grad_output")?;
        let mut bounds = Self {
            geometry: case.geometry()?,
            offset: values.offset,
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

    fn count_readers(&self) -> Vec<(u32, f64)> {
        let g = &self.geometry;
        let mut readers = vec![(0, 0.0); g.batch * g.offset_groups * g.in_pixels()];
        let pixels = g.out_pixels();
        for plane in 0..g.batch * g.offset_groups * g.taps() {
            for pixel in 0..pixels {
                let y = self.position(plane, 0, pixel) as f32;
                let x = self.position(plane, 1, pixel) as f32;
                if !(y > -1.0 && y < g.in_height as f32 && x > -1.0 && x < g.in_width as f32) {
                    continue;
                }
                let mask = self.mask.map_or(1.0, |mask| f64::from(mask[plane * pixels + pixel].abs()));
                for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let (y, x) = (y.floor() as i64 + dy, x.floor() as i64 + dx);
                    if (0..g.in_height as i64).contains(&y) && (0..g.in_width as i64).contains(&x) {
                        let at = plane / g.taps() * g.in_pixels() + y as usize * g.in_width + x as usize;
                        readers[at].0 += 1;
                        readers[at].1 += mask;
                    }
                }
            }
        }
        readers
    }

    /// Where a tap lies on an axis, without rounding. `plane` counts (image, offset group, tap).
    fn position(&self, plane: usize, axis: usize, pixel: usize) -> f64 {
        let g = &self.geometry;
        let tap = plane % g.taps();
        let (at, step) = match axis {
            0 => (pixel / g.out_width, tap / g.kernel_width),
            _ => (pixel % g.out_width, tap % g.kernel_width),
        };
        let whole = (at * g.stride[axis] + step * g.dilation[axis]) as f64 - g.padding[axis] as f64;
        whole + f64::from(self.offset[(2 * plane + axis) * g.out_pixels() + pixel])
    }

    /// The bound of an element; `None` where either of two values is right.
    pub(crate) fn of(&self, operand: Operand, index: usize) -> Option<f64> {
        let g = &self.geometry;
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
                let crosses = |axis| {
                    let position = self.position(plane, axis, pixel);
                    position.is_finite() && position.floor() != f64::from(position as f32).floor()
                };
                if crosses(0) || crosses(1) {
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
