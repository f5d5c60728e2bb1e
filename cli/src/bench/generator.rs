//! The generator rows of the table: the ordinary convolution that would compute a layer's offsets, with the same kernel
//! size as the layer.

use anyhow::Result;
use deform::ops::conv2d::{self, Conv2d};
use deform::ops::deform_conv2d::Geometry;
use deform::{DeformConv2d, Dtype, Gpu, Inputs, Options, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::layers::Layer;
use super::{Bench, Measured, SAMPLES, samples};
use crate::timing::Timing;

impl Bench {
    pub(super) fn measure_generator(&self, gpu: &Gpu, op: &DeformConv2d, layer: &Layer) -> Result<Measured> {
        let operands = layer.operands();
        let Options { stride, padding, dilation, workspace_limit, .. } = layer.options();
        let (in_channels, kernel) = (operands.input.shape[1], &operands.weight.shape[2..]);
        let weight_shape = [operands.offset.shape[1], in_channels, kernel[0], kernel[1]];
        let mut rng = StdRng::seed_from_u64(0x6e);
        let deviation = 1.0 / (weight_shape[1..].iter().product::<usize>() as f32).sqrt();
        let normal = |rng: &mut StdRng| -> f32 { StandardNormal.sample(rng) };
        let weight: Vec<f32> = (0..weight_shape.iter().product()).map(|_| deviation * normal(&mut rng)).collect();

        let input = Tensor::upload(gpu, &operands.input.shape, &operands.input.values)?;
        let uploaded = Tensor::upload(gpu, weight_shape, &weight)?;
        let inputs = conv2d::Inputs { input: &input, weight: &uploaded, bias: None };
        let algorithm = self.algorithm;
        let others = conv2d::Options::default();
        let options = conv2d::Options { stride, padding, dilation, algorithm, workspace_limit, ..others };
        let conv2d = Conv2d::new(op.gpu());
        let shapes = conv2d::Inputs { input: input.shape(), weight: &weight_shape[..], bias: None };
        let algorithm = conv2d.prepare(&shapes, Dtype::F32, options)?.plan().algorithm.clone();
        let (timing, output) =
            Timing::measure(gpu, self.runs as usize, self.max_seconds, || conv2d.forward(&inputs, options))?;

        // The reference is the deformable convolution with offsets of 0.
        let out = output.shape();
        let offset_shape = [out[0], 2 * kernel[0] * kernel[1], out[2], out[3]];
        let offset = vec![0.0; offset_shape.iter().product()];
        let shapes = Inputs {
            input: input.shape(),
            offset: &offset_shape[..],
            weight: &weight_shape[..],
            mask: None,
            bias: None,
        };
        let geometry = Geometry::new(shapes, &layer.options())?;
        let values = Inputs {
            input: &operands.input.values[..],
            offset: &offset[..],
            weight: &weight[..],
            mask: None,
            bias: None,
        };
        let output = output.download::<f32>()?;
        let places = [0, output.len() - 1].into_iter().chain((2..SAMPLES).map(|_| rng.random_range(0..output.len())));
        let seconds = timing.median() / 1e3;
        let elements = operands.input.values.len() + weight.len() + output.len();
        Ok(Measured {
            algorithm,
            flops_per_second: geometry.flops() / seconds,
            bytes_per_second: (4 * elements) as f64 / seconds,
            comparison: samples::compare(&geometry, &values, &output, places)?,
            timing,
        })
    }
}
