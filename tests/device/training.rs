//! Training: optimisers and statistics, compared with their formulas in f64, and a layer that learns.

use deform::layers::{DeformableConv2d, DeformableConv2dOptions, Mask};
use deform::ops::deform_conv2d::{Geometry, Mode};
use deform::ops::optimizer::{Group, Optimizer, Rule, Variable};
use deform::ops::statistics::{Magnitude, Statistics};
use deform::{Dtype, Error, Gpu, Inputs, Options, Tensor, wgpu};

use crate::device::{callers_gpu, gpu, noise, operator};
use crate::support::numbers::rounded;

/// An optimiser by torch's formulas, in f64.
struct Host {
    rule: Rule,
    value: Vec<f64>,
    moments: [Vec<f64>; 2],
}

impl Host {
    fn new(rule: Rule, value: &[f32]) -> Self {
        let zeros = vec![0.0; value.len()];
        Self { rule, value: value.iter().map(|v| f64::from(*v)).collect(), moments: [zeros.clone(), zeros] }
    }

    fn step(&mut self, gradient: &[f32], learning_rate: f32, t: i32) {
        let [first, second] = &mut self.moments;
        let rate = f64::from(learning_rate);
        for (n, value) in self.value.iter_mut().enumerate() {
            let gradient = f64::from(gradient[n]);
            match self.rule {
                Rule::Sgd { momentum, weight_decay } => {
                    let g = gradient + f64::from(weight_decay) * *value;
                    first[n] = f64::from(momentum) * first[n] + g;
                    *value -= rate * first[n];
                }
                Rule::Adam { betas, epsilon, weight_decay } => {
                    let g = gradient + f64::from(weight_decay) * *value;
                    let [b1, b2] = betas.map(f64::from);
                    first[n] = b1 * first[n] + (1.0 - b1) * g;
                    second[n] = b2 * second[n] + (1.0 - b2) * g * g;
                    let mean = first[n] / (1.0 - b1.powi(t));
                    *value -= rate * mean / ((second[n] / (1.0 - b2.powi(t))).sqrt() + f64::from(epsilon));
                }
            }
        }
    }
}

fn check(gpu: &Gpu, rule: Rule, count: usize) {
    let rates = [0.05f32, 0.002];
    let variable = |seed| Variable {
        value: Tensor::upload(gpu, [count], &noise(count, seed)).unwrap(),
        gradient: Tensor::new(gpu, [count], Dtype::F32).unwrap(),
    };
    let variables = [variable(1), variable(2), variable(3)];
    let group =
        |range: std::ops::Range<usize>, learning_rate| Group { variables: variables[range].to_vec(), learning_rate };
    let mut optimizer = Optimizer::new(gpu, rule, vec![group(0..2, rates[0]), group(2..3, rates[1])]).unwrap();
    let mut hosts = [1, 2, 3].map(|seed| Host::new(rule, &noise(count, seed)));
    for (step, t) in (1..=6).zip(1..) {
        // A schedule halves the learning rates after three steps.
        let factor = if t > 3 { 0.5 } else { 1.0 };
        optimizer.learning_rates().zip(rates).for_each(|(rate, first)| *rate = first * factor);
        for (n, (variable, host)) in variables.iter().zip(&mut hosts).enumerate() {
            let gradient = noise(count, 10 * step + n);
            variable.gradient.write(&gradient).unwrap();
            let rate = if n < 2 { rates[0] } else { rates[1] };
            host.step(&gradient, rate * factor, t);
        }
        optimizer.step().unwrap();
    }
    for (variable, host) in variables.iter().zip(&hosts) {
        for (got, want) in variable.value.download::<f32>().unwrap().into_iter().zip(&host.value) {
            // Six steps with some ten roundings each. A step is at most 6·0.05, since momentum adds up six gradients of
            // at most 1.
            let bound = 6.0 * 10.0 * 2f64.powi(-24) * (1.0 + 6.0 * 0.05);
            assert!((f64::from(got) - want).abs() <= bound, "{rule:?}: {got}, expected {want} ± {bound:e}");
        }
    }
}

const RULES: [Rule; 5] = [
    Rule::SGD,
    Rule::Sgd { momentum: 0.0, weight_decay: 0.1 },
    Rule::Sgd { momentum: 0.5, weight_decay: 0.02 },
    Rule::ADAM,
    Rule::Adam { betas: [0.8, 0.9], epsilon: 1e-3, weight_decay: 0.1 },
];

#[test]
fn optimizers_take_torchs_steps() {
    for rule in RULES {
        check(gpu(), rule, 77);
    }
    // The bindings are so small that a variable takes several windows.
    let limits = wgpu::Limits { max_storage_buffer_binding_size: (4 << 10) + 100, ..wgpu::Limits::default() };
    let small = callers_gpu(limits);
    for rule in [Rule::SGD, Rule::ADAM] {
        check(&small, rule, 3_001);
    }
}

#[test]
fn variables_that_do_not_fit_are_refused() {
    let tensor = |count: usize| Tensor::new(gpu(), [count], Dtype::F32).unwrap();
    let of = |value: Tensor, gradient: Tensor| {
        Optimizer::new(
            gpu(),
            Rule::SGD,
            vec![Group { variables: vec![Variable { value, gradient }], learning_rate: 1.0 }],
        )
    };
    assert!(matches!(of(tensor(3), tensor(4)), Err(Error::Axis { operand: "gradient", expected: 3, got: 4, .. })));
    let half = Tensor::new(gpu(), [3], Dtype::F16).unwrap();
    assert!(matches!(of(half, tensor(3)), Err(Error::Dtype { operand: "value", .. })));
    let same = tensor(3);
    let refused = of(same.clone(), same.clone()).unwrap().step().unwrap_err();
    assert!(matches!(refused, Error::Aliased { .. }), "{refused}");
    let group = || {
        let gradient = tensor(3);
        Group { variables: vec![Variable { value: same.clone(), gradient }], learning_rate: 1.0 }
    };
    let refused = Optimizer::new(gpu(), Rule::SGD, vec![group(), group()]).unwrap_err();
    assert!(matches!(refused, Error::Aliased { operand: "value", .. }), "{refused}");
    for (rule, words) in [
        (Rule::Sgd { momentum: -0.1, weight_decay: 0.0 }, "momentum is -0.1, expected finite and at least 0"),
        (Rule::Sgd { momentum: 0.0, weight_decay: f32::NAN }, "weight_decay is NaN"),
        (
            Rule::Adam { betas: [0.9, 1.0], epsilon: 1e-8, weight_decay: 0.0 },
            "betas is 1, expected at least 0 and below 1",
        ),
        (Rule::Adam { betas: [0.9, 0.9], epsilon: f32::INFINITY, weight_decay: 0.0 }, "epsilon is inf"),
    ] {
        let refused = Optimizer::new(gpu(), rule, vec![group()]).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

fn expected(values: &[f32]) -> Magnitude {
    let finite: Vec<f64> = values.iter().filter(|v| v.is_finite()).map(|v| f64::from(v.abs())).collect();
    Magnitude {
        mean: rounded(finite.iter().sum::<f64>() / finite.len().max(1) as f64),
        largest: rounded(finite.iter().copied().fold(0.0, f64::max)),
        not_finite: (values.len() - finite.len()) as f32 / values.len() as f32,
    }
}

fn close(got: Magnitude, want: Magnitude) {
    // Each slice sums a few terms, and then 4096 slices are summed.
    let bound = 10.0 * 2f32.powi(-24) * 64.0 * want.mean;
    assert!((got.mean - want.mean).abs() <= bound, "{got:?}, expected {want:?}");
    assert_eq!((got.largest, got.not_finite), (want.largest, want.not_finite));
}

#[test]
fn magnitudes_meet_their_definition() {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: (65 << 10) + 100, ..wgpu::Limits::default() };
    for gpu in [gpu(), &callers_gpu(limits)] {
        let statistics = Statistics::new(gpu);
        for count in [1, 100, 4_096, 50_001] {
            let mut values = noise(count, 4);
            values[count / 2] = -3.5;
            let upload = |values: &[f32]| Tensor::upload(gpu, [values.len()], values).unwrap();
            close(statistics.magnitude(&upload(&values)).unwrap(), expected(&values));
            values[0] = f32::NAN;
            values[count - 1] = f32::NEG_INFINITY;
            close(statistics.magnitude(&upload(&values)).unwrap(), expected(&values));
        }
    }
    let half = Tensor::new(gpu(), [3], Dtype::F16).unwrap();
    assert!(matches!(Statistics::new(gpu()).magnitude(&half), Err(Error::Dtype { .. })));
}

/// The offsets are whole pixels, so that the taps outside the image can be counted exactly.
#[test]
fn offsets_that_leave_the_image_are_counted() {
    let options = Options { stride: [2, 1], padding: [1, 1], ..Options::default() };
    let shapes: Inputs<&[usize]> =
        Inputs { input: &[13, 4, 9, 9], offset: &[13, 36, 5, 9], weight: &[2, 4, 3, 3], mask: None, bias: None };
    let geometry = Geometry::new(shapes, &options).unwrap();
    let count = 13 * 36 * 5 * 9;
    let mut offset: Vec<f32> = (0..count).map(|n| (n * 7919 % 11) as f32 - 5.0).collect();
    offset[17] = f32::NAN;
    let mut outside = 0;
    for tap in 0..count / 2 {
        let (pixel, plane) = (tap % 45, tap / 45);
        let (oy, ox, i, j) = (pixel / 9, pixel % 9, plane % 9 / 3, plane % 9 % 3);
        let y = (2 * oy + i) as f32 - 1.0 + offset[2 * plane * 45 + pixel];
        let x = (ox + j) as f32 - 1.0 + offset[(2 * plane + 1) * 45 + pixel];
        outside += usize::from(!(y > -1.0 && y < 9.0 && x > -1.0 && x < 9.0));
    }
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 64 << 10, ..wgpu::Limits::default() };
    for gpu in [gpu(), &callers_gpu(limits)] {
        let statistics = Statistics::new(gpu);
        let tensor = Tensor::upload(gpu, shapes.offset, &offset).unwrap();
        let got = statistics.offset(&geometry, &tensor).unwrap();
        close(got.offset, expected(&offset));
        assert_eq!(got.outside, outside as f32 / (count / 2) as f32);
        assert!(outside > 100 && outside < count / 2 - 100, "{outside}");
        let refused = statistics.offset(&geometry, &Tensor::upload(gpu, [13, 36, 45], &offset).unwrap()).unwrap_err();
        assert!(matches!(refused, Error::Rank { operand: "offset", expected: 4, got: 3 }), "{refused}");
    }
}

/// Trains a 1×1 layer to undo a shift by (2, −1), which only its offsets can do. Returns the losses and the learned
/// bias of the generator of offsets.
fn align(rule: Rule, steps: usize) -> (Vec<f64>, Vec<f32>) {
    let size = 24usize;
    let wave = |y: f32, x: f32| (0.35 * y).sin() + (0.3 * x + 1.0).cos() + (0.12 * (y + x)).sin();
    let image = |down: f32, right: f32| -> Vec<f32> {
        (0..size * size).map(|n| wave((n / size) as f32 + down, (n % size) as f32 + right)).collect()
    };
    let (moved, target) = (image(0.0, 0.0), image(2.0, -1.0));
    let options =
        DeformableConv2dOptions { mask: Mask::None, bias: false, ..DeformableConv2dOptions::new(1, 1, [1, 1]) };
    let layer = DeformableConv2d::new(operator(), options, 0).unwrap();
    layer.regular_conv.weight().value().write(&[1.0f32]).unwrap();
    let variables = layer.generator_parameters().into_iter().map(|(_, parameter)| parameter.variable()).collect();
    let mut optimizer = Optimizer::new(gpu(), rule, vec![Group { variables, learning_rate: 0.05 }]).unwrap();
    let input = Tensor::upload(gpu(), [1, 1, size, size], &moved).unwrap();
    let grad_output = Tensor::new(gpu(), [1, 1, size, size], Dtype::F32).unwrap();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let forward = layer.forward(&input).unwrap();
        let mut error: Vec<f32> =
            forward.output.download::<f32>().unwrap().iter().zip(&target).map(|(got, want)| got - want).collect();
        // The border does not count: there the target shows pixels that are not in the image.
        let inside = |at: usize| (4..size - 4).contains(&at);
        for (n, error) in error.iter_mut().enumerate() {
            if !inside(n / size) || !inside(n % size) {
                *error = 0.0;
            }
        }
        losses.push(error.iter().map(|e| f64::from(e * e)).sum::<f64>() / error.len() as f64);
        let scale = 2.0 / error.len() as f32;
        grad_output.write(&error.iter().map(|e| scale * e).collect::<Vec<_>>()).unwrap();
        layer.backward(&input, &forward, &grad_output, Mode::Write).unwrap();
        optimizer.step().unwrap();
    }
    (losses, layer.offset_conv.bias().unwrap().value().download().unwrap())
}

#[test]
fn offsets_are_learned_the_same_way_every_time() {
    let (losses, offset) = align(Rule::ADAM, 150);
    let (first, last) = (losses[0], losses[149]);
    assert!(last < first / 10.0, "{first} became {last}");
    assert!(offset[0] > 1.0 && offset[1] < -0.4, "learned {offset:?}, moved by 2 and −1");
    assert_eq!(align(Rule::ADAM, 150), (losses, offset));
}
