//! The backward rows of the table: the time of all gradients of a layer. Some elements of each gradient are checked
//! against the reference.

use anyhow::{Context, Result};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::Geometry;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{DeformConv2d, Dtype, Gpu, Gradients, Options, Tensor};
use deform_case::{Comparison, ErrorBounds};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::layers::Layer;
use super::{Bench, Measured};
use crate::case::Case;
use crate::timing::Timing;

/// The number of elements of each gradient that are compared with the reference.
const SAMPLES: usize = 12;

impl Bench {
    pub(super) fn measure_backward(&self, gpu: &Gpu, op: &DeformConv2d, layer: &Layer) -> Result<Measured> {
        let options = Options { algorithm: self.algorithm, ..layer.options() };
        let mut case = Case::new(layer.name, layer.operands(), options);
        let geometry = case.geometry()?;
        let mut rng = StdRng::seed_from_u64(0x6a);
        let shape = geometry.output_shape().to_vec();
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut rng)).collect();
        let grad_output = Tensor::upload(gpu, shape.as_slice(), &values)?;
        case.grad_output = Some(HostTensor { shape, values });

        let inputs = deform_case::upload(gpu, &case.operands)?;
        let inputs = inputs.as_ref();
        let shapes = inputs.shapes();
        let algorithm = op.prepare_backward(&shapes, Dtype::F32, layer.modes(), options)?.plan().algorithm.clone();
        let (timing, gradients) = Timing::measure(gpu, self.runs as usize, self.max_seconds, || {
            op.backward(&inputs, &grad_output, Gradients::ALL, options)
        })?;

        let values = case.operands.map(|operand| operand.values.len());
        let operands: usize = values.named().map(|(_, elements)| elements).sum();
        let seconds = timing.median() / 1e3;
        let download = |gradient: &Tensor| gradient.download::<f32>();
        let gradients = Gradients::try_from_fn(|operand| gradients[operand].as_ref().map(download).transpose())?;
        Ok(Measured {
            algorithm,
            // The gradients of the columns and of the weight are one product each, as large as that of the forward
            // pass.
            flops_per_second: 2.0 * geometry.flops() / seconds,
            bytes_per_second: (4 * (2 * operands + geometry.output_shape().iter().product::<usize>())) as f64 / seconds,
            comparison: compare_samples(&case, &geometry, &gradients, &mut rng)?,
            timing,
        })
    }
}

fn compare_samples(
    case: &Case,
    geometry: &Geometry,
    gradients: &Gradients<Option<Vec<f32>>>,
    rng: &mut StdRng,
) -> Result<Comparison> {
    let grad = &case.grad_output.as_ref().context("the case has no grad_output")?.values;
    let reference = Reference::new(geometry, case.values())?;
    let bounds = ErrorBounds::new(reference);
    let mut comparison = Comparison::default();
    for (operand, gradient) in gradients.iter() {
        let Some(values) = gradient else { continue };
        // The first and the last element, where tiles begin and end, then random ones.
        let samples = [0, values.len() - 1].into_iter().chain((2..SAMPLES).map(|_| rng.random_range(0..values.len())));
        let samples: Vec<_> = samples.collect();
        for (&index, bound) in samples.iter().zip(bounds.gradient_at(operand, grad, &samples)) {
            let want = reference.gradient_at(operand, grad, index);
            comparison.add(index, f64::from(values[index]), want, bound);
        }
    }
    Ok(comparison)
}
