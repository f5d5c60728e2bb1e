//! The ordinary convolution in f16 and at the limits of sizes, and the errors for operands that do not fit.

use deform::ops::conv2d::{Activation, Conv2d, Gradients, Inputs, Options};
use deform::ops::deform_conv2d::{Gradient, Mode};
use deform::{Dtype, Error, Tensor, wgpu};
use half::f16;

use crate::backward::ways;
use crate::conv2d::{ALL_MODES, check, check_gradients, conv2d, expected, modes, options, shapes, upload, upload_as};
use crate::device::{callers_gpu, default_limits_gpu, gpu, poison};
use crate::support::case::{Case, PLAIN, Sizes, padded, regular};

/// Operands in f16 are read exactly and summed in f32. The sum is rounded, and so is its activation. Tested on devices
/// with f16 shaders and without.
#[test]
fn half_precision_meets_the_reference() {
    let sizes = Sizes { batch: 16, in_channels: 12, out_channels: 10, groups: 2, input: [9, 7], ..PLAIN };
    let round = |values: &mut Vec<f32>| values.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
    let mut case = regular(Case::new("halves", sizes, padded()));
    [&mut case.operands.input, &mut case.operands.weight].into_iter().for_each(round);
    case.operands.bias.iter_mut().for_each(round);
    let (want, bounds) = expected(&case, Activation::TwiceSigmoid);
    let twice = options(&case, Activation::TwiceSigmoid);
    // The outputs and gradients differ from element to element, and their products are exact in f32.
    let halves = |of: &dyn Fn(usize) -> f32| (0..want.len()).map(|n| f16::from_f32(of(n))).collect::<Vec<_>>();
    let slopes = halves(&|n| (n * 7919 % 64) as f32 / 32.0);
    let grads = halves(&|n| (n * 104_729 % 61) as f32 / 16.0 - 2.0);
    let linear = slopes.iter().zip(&grads).map(|(s, g)| g.to_f32() * s.to_f32() * (1.0 - s.to_f32() / 2.0));
    let gradients = case.expected_gradients(&linear.collect::<Vec<_>>());
    // The bindings are so small that the activation of all images takes two windows.
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 14 << 10, ..wgpu::Limits::default() };
    let small = callers_gpu(limits);
    for gpu in [gpu(), default_limits_gpu(), &small] {
        let operator = Conv2d::new(gpu);
        let inputs = upload_as(gpu, &case, f16::from_f32);
        let inputs = inputs.as_ref();
        let output = operator.forward(&inputs, twice).unwrap();
        for (n, got) in output.download::<f16>().unwrap().into_iter().enumerate() {
            // The sum is rounded to f16, and its activation is rounded again.
            let sum = bounds[n].error();
            let linear = (want[n] / (2.0 - want[n])).ln().abs();
            let bound = sum + 2f64.powi(-11) * (linear / 2.0 + want[n] + 2.0 * sum) + 2f64.powi(-24);
            assert!((got.to_f64() - want[n]).abs() <= bound, "element {n}: {got}, expected {} ± {bound:e}", want[n]);
        }
        if gpu == &small {
            // This device is too small for the backward pass's partial sums.
            continue;
        }
        let slopes = Tensor::upload(gpu, output.shape(), &slopes).unwrap();
        let grad_output = Tensor::upload(gpu, output.shape(), &grads).unwrap();
        let got = operator.backward(&inputs, &slopes, &grad_output, Gradients::ALL, twice).unwrap();
        let download = |gradient: Option<Tensor>| gradient.map(|gradient| gradient.download().unwrap());
        let got = deform::Gradients {
            input: download(got.input),
            weight: download(got.weight),
            bias: download(got.bias),
            ..Default::default()
        };
        gradients.compare(&got).unwrap();
    }
}

#[test]
fn no_plan_binds_an_offset_or_sorts() {
    let case = regular(Case::new("plan", PLAIN, padded()));
    let options = options(&case, Activation::Identity);
    let forward = conv2d().prepare(&shapes(&case), Dtype::F32, options).unwrap();
    let backward = conv2d().prepare_backward(&shapes(&case), Dtype::F32, modes(&case), options).unwrap();
    for step in forward.plan().steps.iter().chain(&backward.plan().steps) {
        assert!(step.windows.iter().all(|window| window.operand != "offset"), "{step}");
        assert!(!step.kernel().starts_with("sort/"), "{step}");
    }
}

/// Tests sizes at which 32 bits or a driver's loops would overflow.
#[test]
fn sizes_at_the_limits_are_right_or_refused() {
    let far = 1usize << 32;
    // There is one output pixel along the axis, whatever the stride, and one tap, whatever the dilation.
    for (kernel, stride, dilation) in [([3, 3], [far, 1], [1, 1]), ([1, 3], [1, far], [far, 1])] {
        let sizes = Sizes { input: [9, 9], kernel, mask: false, ..PLAIN };
        let near = regular(Case::new("far", sizes, deform::Options { stride: stride.map(|s| s.min(99)), ..padded() }));
        let options = deform::Options { stride, dilation, ..near.options };
        let far = Case { options, ..near.clone() };
        check(&far, Activation::Identity);
        check_gradients(&far, Activation::Identity);
    }
    // The output has one row. The upper taps reach the last input row from an output row far below it, whose pixels
    // have the same 32-bit indices.
    let shapes = Inputs { input: &[1, 1, 65_537, 1][..], weight: &[1, 1, 2, 2][..], bias: None };
    let tall = Options { dilation: [65_536, 1], padding: [0, 32_768], ..Options::default() };
    let input = Tensor::new(gpu(), shapes.input, Dtype::F32).unwrap();
    let weight = Tensor::upload(gpu(), shapes.weight, &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let inputs = Inputs { input: &input, weight: &weight, bias: None };
    let output = Tensor::new(gpu(), [1, 1, 1, 65_536], Dtype::F32).unwrap();
    let grad_output = Tensor::upload(gpu(), output.shape(), &[1.0f32; 65_536]).unwrap();
    let wanted = Gradients { input: true, weight: false, bias: false };
    let got = conv2d().backward(&inputs, &output, &grad_output, wanted, tall).unwrap();
    let got: Vec<f32> = got.input.unwrap().download().unwrap();
    // The upper taps of two pixels reach the first input row, and the lower taps the last one.
    assert_eq!((got[0], got[65_536]), (3.0, 7.0));
    assert!(got[1..65_536].iter().all(|value| *value == 0.0));
    // More taps than a driver's loop may count.
    let shapes = Inputs { input: &[1, 1, 257, 257][..], weight: &[1, 1, 257, 257][..], bias: None };
    let modes = Gradients { input: Mode::Write, ..Gradients::default() };
    let refused = conv2d().prepare_backward(&shapes, Dtype::F32, modes, Options::default()).unwrap_err();
    assert!(matches!(refused, Error::Unsuitable { .. }), "{refused}");
    // A column matrix whose size overflows every integer must be refused.
    let shapes = Inputs { input: &[1, 1, 1, 1][..], weight: &[1, 1, 1 << 20, 1 << 20][..], bias: None };
    let options = Options { padding: [1 << 22; 2], ..Options::default() };
    assert!(conv2d().prepare(&shapes, Dtype::F32, options).is_err());
}

/// Activations take no memory of their own, so the gradient of a mask generator fits wherever that of an offset
/// generator does.
#[test]
fn activations_cost_no_workspace() {
    let shapes = Inputs { input: &[1, 8, 483, 483][..], weight: &[72, 8, 3, 3][..], bias: None };
    let plan = |activation| {
        let options = Options { padding: [1, 1], activation, ..Options::default() };
        let modes = Gradients { bias: Mode::Skip, ..ALL_MODES };
        conv2d().prepare_backward(&shapes, Dtype::F32, modes, options).unwrap().plan().memory_bytes()
    };
    assert_eq!(plan(Activation::TwiceSigmoid), plan(Activation::Identity));
}

/// The gradient of the input gathers from the pixels of one part at a time.
#[test]
fn gradients_in_parts_of_the_pixels_meet_the_reference() {
    let sizes = Sizes { batch: 2, in_channels: 6, out_channels: 5, input: [20, 19], ..PLAIN };
    for algorithm in ways() {
        let mut case = regular(Case::new("parts", sizes, deform::Options { algorithm, ..padded() }));
        let plan = |workspace_limit| {
            let options = Options { workspace_limit, ..options(&case, Activation::Identity) };
            conv2d().prepare_backward(&shapes(&case), Dtype::F32, modes(&case), options)
        };
        let refused = plan(0).unwrap_err();
        let Error::WorkspaceTooSmall { needed, .. } = refused else { panic!("{refused}") };
        let least = plan(needed).unwrap();
        assert!(least.plan().steps.iter().any(|step| step.param("first_pixel").is_some_and(|pixel| pixel > 0)));
        case.options.workspace_limit = needed;
        check_gradients(&case, Activation::Identity);
    }
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    let case = regular(Case::new("errors", PLAIN, padded()));
    let inputs = upload(&case);
    let inputs = inputs.as_ref();
    let options = options(&case, Activation::Sigmoid);
    let output = conv2d().forward(&inputs, options).unwrap();
    let grad_output = Tensor::new(gpu(), output.shape(), Dtype::F32).unwrap();
    let wrong = poison(&[1, 4, 7, 5]);
    let refused = conv2d().backward(&inputs, &wrong, &grad_output, Gradients::ALL, options).unwrap_err();
    assert!(matches!(refused, Error::Axis { operand: "output", axis: 3, expected: 6, got: 5, .. }), "{refused}");
    let refused = conv2d().forward(&Inputs { weight: &wrong, ..inputs }, options).unwrap_err();
    assert!(matches!(refused, Error::Axis { operand: "bias", .. } | Error::OutputTooSmall { .. }), "{refused}");
    let unbiased = Inputs { bias: None, ..inputs };
    let target = poison(&[4]);
    let targets = Gradients { bias: Some(Gradient::Write(&target)), ..Gradients::default() };
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let refused =
        conv2d().record_backward(&mut encoder, &unbiased, &output, &grad_output, &targets, options).unwrap_err();
    assert!(matches!(refused, Error::NoSuchOperand { operand: "bias" }), "{refused}");
}
