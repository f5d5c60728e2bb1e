//! Compares the ordinary convolution with the reference of the deformable one with zero offsets, which tests/pure
//! compares with plain loops.

use deform::ops::activation::Activate;
use deform::ops::conv2d::{Activation, Conv2d, Gradients, Inputs, Options};
use deform::ops::deform_conv2d::{Algorithm, Mode, Tile};
use deform::{Dtype, Error, Gpu, Tensor, wgpu};
use deform_case::{ErrorBound, activated};
use half::f16;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use crate::backward::ways;
use crate::device::{callers_gpu, distinct_algorithms, gpu, poison, say};
use crate::forward::{geometries, table};
use crate::support::case::{Case, PLAIN, Sizes, depthwise, padded, regular};
use crate::support::compare::compare;
use crate::support::numbers::rounded;

pub fn conv2d() -> &'static Conv2d {
    static OPERATOR: std::sync::OnceLock<Conv2d> = std::sync::OnceLock::new();
    OPERATOR.get_or_init(|| Conv2d::new(gpu()))
}

pub fn options(case: &Case, activation: Activation) -> Options {
    let deform::Options { stride, padding, dilation, algorithm, workspace_limit, .. } = case.options;
    Options { stride, padding, dilation, activation, algorithm, workspace_limit, ..Options::default() }
}

pub fn shapes(case: &Case) -> Inputs<&[usize]> {
    let shapes = case.shape_slices();
    Inputs { input: shapes.input, weight: shapes.weight, bias: shapes.bias }
}

pub fn upload_as<T: deform::Element>(gpu: &Gpu, case: &Case, element: impl Fn(f32) -> T) -> Inputs<Tensor> {
    let upload = |shape: &[usize], values: &[f32]| {
        let values: Vec<T> = values.iter().map(|&value| element(value)).collect();
        Tensor::upload(gpu, shape, &values).unwrap()
    };
    let (shapes, values) = (case.shape_slices(), case.slices());
    Inputs {
        input: upload(shapes.input, values.input),
        weight: upload(shapes.weight, values.weight),
        bias: shapes.bias.zip(values.bias).map(|(shape, values)| upload(shape, values)),
    }
}

pub fn upload(case: &Case) -> Inputs<Tensor> {
    upload_as(gpu(), case, |value| value)
}

/// Runs the case through a prepared call, with output and scratch full of NaN.
fn run(case: &Case, activation: Activation) -> Tensor {
    let options = options(case, activation);
    let prepared = conv2d().prepare(&shapes(case), Dtype::F32, options);
    let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert!(prepared.plan().memory_bytes() <= options.workspace_limit);
    let prepared = prepared.poisoned().unwrap();
    let output = poison(&case.geometry().output_shape());
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    prepared.record(&mut encoder, &upload(case).as_ref(), &output).unwrap();
    gpu().queue().submit([encoder.finish()]);
    output
}

const ACTIVATIONS: [Activation; 4] =
    [Activation::Identity, Activation::Relu, Activation::Sigmoid, Activation::TwiceSigmoid];

/// Returns the factor of the sigmoid if the activation is one.
fn scale(activation: Activation) -> Option<f64> {
    match activation {
        Activation::Identity | Activation::Relu => None,
        Activation::Sigmoid => Some(1.0),
        Activation::TwiceSigmoid => Some(2.0),
    }
}

fn activate(activation: Activation, value: f64) -> f64 {
    match scale(activation) {
        Some(scale) => scale / (1.0 + (-value).exp()),
        None if activation == Activation::Relu => value.max(0.0),
        None => value,
    }
}

/// Returns the derivative of the activation, given its output.
fn slope(activation: Activation, output: f64) -> f64 {
    match scale(activation) {
        Some(scale) => output * (1.0 - output / scale),
        None => f64::from(u8::from(activation == Activation::Identity || output > 0.0)),
    }
}

/// Returns the reference's activated output, and the bounds of its elements.
pub fn expected(case: &Case, activation: Activation) -> (Vec<f64>, Vec<ErrorBound>) {
    let (linear, bounds) = case.expected();
    activated(activation, &linear, bounds)
}

/// Runs the case and compares every element with the reference. Returns the worst ratio of error to bound.
pub fn check(case: &Case, activation: Activation) -> f64 {
    let (want, bounds) = expected(case, activation);
    let got: Vec<f32> = run(case, activation).download().unwrap();
    let compared = compare(&got, &want, &bounds);
    compared.unwrap_or_else(|error| panic!("{} by {:?}: {error}", case.name, case.options.algorithm))
}

pub const ALL_MODES: Gradients<Mode> = Gradients { input: Mode::Write, weight: Mode::Write, bias: Mode::Write };

pub fn modes(case: &Case) -> Gradients<Mode> {
    if case.shapes.bias.is_some() { ALL_MODES } else { Gradients { bias: Mode::Skip, ..ALL_MODES } }
}

/// Compares every gradient with the reference. Returns the worst ratio of error to bound.
pub fn check_gradients(case: &Case, activation: Activation) -> f64 {
    let options = options(case, activation);
    let output = run(case, activation);
    let grad_output = case.grad_output();
    // The gradient before the activation.
    let outputs: Vec<f32> = output.download().unwrap();
    let linear = outputs.iter().zip(&grad_output);
    let linear = linear.map(|(&output, &grad)| rounded(slope(activation, f64::from(output)) * f64::from(grad)));
    let linear: Vec<f32> = linear.collect();
    let grad_output = Tensor::upload(gpu(), output.shape(), &grad_output).unwrap();
    let inputs = upload(case);
    let prepared = conv2d().prepare_backward(&shapes(case), Dtype::F32, modes(case), options);
    let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    assert!(prepared.plan().memory_bytes() <= options.workspace_limit);
    let prepared = prepared.poisoned().unwrap();
    let gradients = Gradients {
        input: Some(poison(inputs.input.shape())),
        weight: Some(poison(inputs.weight.shape())),
        bias: inputs.bias.as_ref().map(|bias| poison(bias.shape())),
    };
    let targets =
        Gradients { input: gradients.input.as_ref(), weight: gradients.weight.as_ref(), bias: gradients.bias.as_ref() };
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    prepared
        .record(&mut encoder, &inputs.as_ref(), &output, &grad_output, &targets)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    gpu().queue().submit([encoder.finish()]);
    let download = |gradient: Option<Tensor>| gradient.map(|gradient| gradient.download().unwrap());
    let got = deform::Gradients {
        input: download(gradients.input),
        weight: download(gradients.weight),
        bias: download(gradients.bias),
        ..Default::default()
    };
    let compared = case.expected_gradients(&linear).compare(&got);
    compared.unwrap_or_else(|error| panic!("{} by {:?}: {error}", case.name, case.options.algorithm))
}

/// Returns one algorithm of each kind: the tiles do not differ in how they handle offsets.
fn algorithms_of_each_kind() -> Vec<Algorithm> {
    let tiled = [1, 2].into_iter().flat_map(|splits| Tile::M32N32.algorithms(splits));
    distinct_algorithms().into_iter().chain(tiled).collect()
}

#[test]
fn the_table_without_offsets_meets_the_reference() {
    let table: Vec<_> = table().into_iter().map(regular).collect();
    for algorithm in algorithms_of_each_kind() {
        let worst =
            table.iter().map(|case| check(&case.clone().by(algorithm), Activation::Identity)).fold(0.0, f64::max);
        say(&format!("case table without offsets by {algorithm:?}: worst error {worst:.3} of its bound"));
    }
    for algorithm in ways() {
        let worst = table.iter().map(|case| check_gradients(&case.clone().by(algorithm), Activation::Identity));
        say(&format!(
            "gradients of the table without offsets by {algorithm:?}: worst error {:.3} of its bound",
            worst.fold(0.0, f64::max)
        ));
    }
}

/// The forward pass has a kernel for depthwise convolutions. Their gradients are computed by the general kernels.
#[test]
fn the_depthwise_table_without_offsets_meets_the_reference() {
    for case in table().into_iter().map(regular).map(depthwise) {
        check(&case, Activation::Identity);
        check_gradients(&case, Activation::Identity);
    }
}

#[test]
fn activations_and_their_gradients_meet_the_reference() {
    let sizes = Sizes { batch: 3, in_channels: 10, out_channels: 9, input: [13, 11], mask: false, ..PLAIN };
    let case = regular(Case::new("activation", sizes, padded()));
    for activation in [Activation::Relu, Activation::Sigmoid, Activation::TwiceSigmoid] {
        for algorithm in algorithms_of_each_kind() {
            check(&case.clone().by(algorithm), activation);
        }
        for algorithm in ways() {
            check_gradients(&case.clone().by(algorithm), activation);
        }
    }
    // Sums so large that an exponential would overflow.
    let mut far = case;
    far.operands.weight.iter_mut().for_each(|weight| *weight *= 100.0);
    let got: Vec<f32> = run(&far, Activation::Sigmoid).download().unwrap();
    assert!(got.iter().all(|value| (0.0..=1.0).contains(value)));
    assert!(got.contains(&0.0) && got.contains(&1.0), "no sum is so large");
}

#[test]
fn random_geometries_in_small_workspaces_meet_the_reference() {
    let config = Config { cases: 120, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&(geometries(), 0u32..4, 0usize..4), |((sizes, options), shrink, activation)| {
        let activation = ACTIVATIONS[activation];
        for algorithm in ways() {
            let mut case = regular(Case::new("random", sizes, deform::Options { algorithm, ..options }));
            let least = |refused| match refused {
                Err(Error::WorkspaceTooSmall { needed, .. }) => needed,
                Ok(bytes) => bytes,
                Err(other) => panic!("{other}"),
            };
            let with_limit = |workspace_limit| Options { workspace_limit, ..self::options(&case, activation) };
            let forward = |limit| {
                let prepared = conv2d().prepare(&shapes(&case), Dtype::F32, with_limit(limit))?;
                Ok(prepared.plan().memory_bytes())
            };
            let backward = |limit| {
                let prepared =
                    conv2d().prepare_backward(&shapes(&case), Dtype::F32, modes(&case), with_limit(limit))?;
                Ok(prepared.plan().memory_bytes())
            };
            let whole = forward(64 << 20).unwrap();
            let limit = (whole >> shrink).max(least(forward(0)));
            let whole = backward(64 << 20).unwrap();
            let backward_limit = (whole >> shrink).max(least(backward(0)));
            case.options.workspace_limit = limit;
            check(&case, activation);
            case.options.workspace_limit = backward_limit.max(limit);
            check_gradients(&case, activation);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Tests the activations without a convolution, in windows: each element and its gradient, in f32 and in f16.
#[test]
fn activations_alone_meet_their_formulas() {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: (4 << 10) + 100, ..wgpu::Limits::default() };
    let values: Vec<f32> = (0..3_001).map(|n| (n * 7919 % 1021) as f32 / 64.0 - 8.0).collect();
    let halves: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
    for gpu in [gpu(), &callers_gpu(limits)] {
        let operator = Activate::new(gpu);
        for activation in ACTIVATIONS {
            let tensor = Tensor::upload(gpu, [3_001], &values).unwrap();
            operator.forward(&tensor, activation).unwrap();
            let output = tensor.download::<f32>().unwrap();
            for (got, value) in output.iter().zip(&values) {
                let want = activate(activation, f64::from(*value));
                assert!((f64::from(*got) - want).abs() <= 8.0 * 2f64.powi(-24) * (1.0 + want.abs()), "{got}, {want}");
            }
            let grad_output = Tensor::upload(gpu, [3_001], &values).unwrap();
            let got: Vec<f32> = operator.backward(&tensor, &grad_output, activation).unwrap().download().unwrap();
            for (n, got) in got.into_iter().enumerate() {
                let grad = f64::from(values[n]);
                let want = slope(activation, f64::from(output[n])) * grad;
                assert!((f64::from(got) - want).abs() <= 8.0 * 2f64.powi(-24) * grad.abs(), "{got}, {want}");
            }
            let tensor = Tensor::upload(gpu, [3_001], &halves).unwrap();
            operator.forward(&tensor, activation).unwrap();
            for (got, value) in tensor.download::<f16>().unwrap().into_iter().zip(&halves) {
                let want = activate(activation, value.to_f64());
                assert!((got.to_f64() - want).abs() <= 2f64.powi(-10) * want.abs() + 2f64.powi(-24), "{got}, {want}");
            }
        }
    }
    let operator = Activate::new(gpu());
    let refused = operator.backward(&poison(&[3]), &poison(&[4]), Activation::Relu).unwrap_err();
    assert!(matches!(refused, Error::Axis { operand: "grad_output", .. }), "{refused}");
    let nan = poison(&[1]);
    operator.forward(&nan, Activation::Relu).unwrap();
    assert!(nan.download::<f32>().unwrap()[0].is_nan());
    // The ends of the range of negative numbers. The bits tell 0 from −0.
    let ends = Tensor::upload(gpu(), [3], &[f32::NEG_INFINITY, -0.0, f32::INFINITY]).unwrap();
    operator.forward(&ends, Activation::Relu).unwrap();
    let bits: Vec<_> = ends.download::<f32>().unwrap().into_iter().map(f32::to_bits).collect();
    assert_eq!(bits, [0.0, 0.0, f32::INFINITY].map(f32::to_bits));
}

#[test]
fn activations_of_shapes_that_no_device_holds_are_refused() {
    let operator = Activate::new(gpu());
    let prepare = |shape: &[usize]| {
        let forward = operator.prepare(shape, Dtype::F32, Activation::Relu).unwrap_err();
        assert_eq!(operator.prepare_backward(shape, Dtype::F32, Activation::Relu).unwrap_err(), forward);
        forward
    };
    let error = prepare(&[usize::MAX, 2]);
    assert!(matches!(error, Error::TooLarge { got: u64::MAX, .. }), "{error}");
    let error = prepare(&[1 << 30, 1 << 30]);
    assert!(matches!(error, Error::TooLarge { got: 0x1000_0000_0000_0000, .. }), "{error}");
    let error = prepare(&[1 << 27, 1 << 20]);
    assert!(matches!(error, Error::TooManySteps { steps: 65_537, .. }), "{error}");
    assert!(operator.prepare(&[1 << 30, 0], Dtype::F32, Activation::Relu).unwrap().plan().steps.is_empty());
}
