//! The layers, compared with PyTorch's stored answers and with the operators, and their state dicts.

use deform::layers::{
    Conv2d, Conv2dOptions, CycleFc, CycleFcOptions, DeformConv2d, DeformConv2dOptions, DeformableConv2d,
    DeformableConv2dOptions, Generator, Layer, Mask, Parameter, State,
};
use deform::ops::conv2d;
use deform::ops::deform_conv2d::{Gradient, Mode};
use deform::{Error, Gradients, Options, Tensor};
use deform_case::{CYCLE_FC, CaseFile, DEFORMABLE_CONV2D};

use crate::aspp;
use crate::device::{gpu, operator, poison, random_on};
use crate::support::case::{Case, PLAIN, Sizes, padded};
use crate::support::golden::stored;

/// The tolerance, relative to the largest element. A chain of three f32 sums (generator, samples, product; the same
/// backward) of at most some hundred terms each loses at most 3·10·2⁻²⁴·√terms if the terms are no larger than the
/// result. That is below 1e-4. There is little cancellation in the largest element.
const CHAIN: f64 = 1e-4;

/// Checks that the error of every element is at most [`CHAIN`] times the largest element.
fn close(name: &str, got: &Tensor, want: &[f64]) {
    close_values(name, &got.download::<f32>().unwrap(), want);
}

fn close_values(name: &str, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{name}");
    let largest = want.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    assert!(largest > 0.0, "{name} holds nothing to compare");
    for (n, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(*got) - want).abs();
        assert!(error <= CHAIN * largest, "{name} element {n}: {got}, expected {want} (largest {largest})");
    }
}

/// Returns the stored answer of a result.
fn answer(case: &CaseFile, name: &str) -> Vec<f64> {
    case.answer(name).unwrap().unwrap().values
}

#[test]
fn deformable_conv2d_meets_every_stored_case() {
    for case in stored(&DEFORMABLE_CONV2D, 6) {
        let layer = deform_case::deformable_conv2d_layer(operator(), &case, case.options().unwrap()).unwrap();
        let input = case.upload(gpu(), "input").unwrap();
        let forward = layer.forward(&input).unwrap();
        close(&format!("{} output", case.name), &forward.output, &answer(&case, "output"));
        let grad_output = case.upload(gpu(), "grad_output").unwrap();
        let check = |times: f64| {
            let regular = layer
                .regular_conv
                .parameters()
                .into_iter()
                .map(|(name, parameter)| (format!("grad_{name}"), parameter.gradient().download::<f32>().unwrap()));
            let generator = deform_case::generator_gradients(&layer).into_iter();
            let generator = generator.map(|result| (result.name.clone(), result.download().unwrap().values));
            for (name, gradient) in regular.chain(generator) {
                let want: Vec<_> = answer(&case, &name).iter().map(|value| times * value).collect();
                close_values(&format!("{} {name}", case.name), &gradient, &want);
            }
        };
        // The parameters' gradients are replaced, added to, left alone, and replaced again.
        for (mode, times) in [(Mode::Write, 1.0), (Mode::Add, 2.0), (Mode::Skip, 2.0), (Mode::Write, 1.0)] {
            let grad_input = layer.backward(&input, &forward, &grad_output, mode).unwrap();
            close(&format!("{} grad_input", case.name), &grad_input, &answer(&case, "grad_input"));
            check(times);
        }
    }
}

#[test]
fn cycle_fc_meets_every_stored_case() {
    for case in stored(&CYCLE_FC, 4) {
        let layer = deform_case::cycle_fc_layer(operator(), &case).unwrap();
        for result in case.call(operator(), Options::default(), true).unwrap()().unwrap() {
            let got = result.download().unwrap().values;
            close_values(&format!("{} {}", case.name, result.name), &got, &answer(&case, &result.name));
        }
        assert_eq!(layer.parameters().len(), 1 + usize::from(case.has("bias")));
    }
}

pub fn random(shape: [usize; 4], seed: usize) -> Tensor {
    random_on(gpu(), shape, seed)
}

/// Makes a layer with strides, groups and a generator of 5×5. The generator's parameters are random numbers in
/// ±`generator`.
pub fn layer(mask: Mask, generator: f32) -> DeformableConv2d {
    let options = DeformableConv2dOptions {
        groups: 2,
        offset_groups: 2,
        mask,
        generator: Generator { kernel_size: [5, 5], padding: [2, 2], dilation: [1, 1] },
        deform: Options { stride: [2, 2], padding: [1, 1], ..Options::default() },
        ..DeformableConv2dOptions::new(4, 6, [3, 3])
    };
    let layer = DeformableConv2d::new(operator(), options, 7).unwrap();
    for (n, (_, parameter)) in layer.generator_parameters().into_iter().enumerate() {
        let count = parameter.value().shape().iter().product();
        let values: Vec<f32> = (0..count).map(|k| generator * (((k + n) * 7919 % 1021) as f32 / 510.5 - 1.0)).collect();
        parameter.value().write(&values).unwrap();
    }
    layer
}

/// With a generator of zeros the offsets are 0 and the mask is σ(0) = 1/2 or 2·σ(0) = 1, so the layer computes an
/// ordinary convolution.
#[test]
fn a_generator_of_zeros_gives_an_ordinary_convolution() {
    let input = random([2, 4, 9, 11], 0);
    let conv = conv2d::Options { stride: [2, 2], padding: [1, 1], ..conv2d::Options::default() };
    let options = Conv2dOptions { groups: 2, conv, ..Conv2dOptions::new(4, 6, [3, 3]) };
    for (mask, factor) in [(Mask::None, 1.0), (Mask::TwiceSigmoid, 1.0), (Mask::Sigmoid, 0.5)] {
        let layer = layer(mask, 0.0);
        let plain = Conv2d::new(operator(), options, 7).unwrap();
        assert_eq!(
            plain.weight().value().download::<f32>().unwrap(),
            layer.regular_conv.weight().value().download::<f32>().unwrap(),
            "the same seed gives the same initialisation"
        );
        let bias: Vec<f32> = plain.bias().unwrap().value().download().unwrap();
        let forward = layer.forward(&input).unwrap();
        assert!(forward.offset.download::<f32>().unwrap().iter().all(|offset| *offset == 0.0));
        let want: Vec<f32> = plain.forward(&input).unwrap().download().unwrap();
        let got: Vec<f32> = forward.output.download().unwrap();
        let pixels = want.len() / 2 / 6;
        for (n, (got, want)) in got.into_iter().zip(want).enumerate() {
            let bias = bias[n / pixels % 6];
            let want = bias + factor * (want - bias);
            assert!((got - want).abs() <= 4.0 * f32::EPSILON * (1.0 + want.abs()), "{mask:?} {n}: {got}, {want}");
        }
    }
}

/// The initialisation is torch's: uniform in ±1/√fan_in. The numbers fill that range and depend on the seed.
#[test]
fn initialisation_is_torchs_and_depends_on_the_seed() {
    let new = |seed| DeformConv2d::new(operator(), DeformConv2dOptions::new(8, 64, [3, 3]), seed).unwrap();
    let bound = 1.0 / 72f32.sqrt();
    let (one, two) = (new(1), new(2));
    for parameter in [one.weight(), one.bias().unwrap()] {
        let values: Vec<f32> = parameter.value().download().unwrap();
        let largest = values.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        assert!(largest <= bound && largest > 0.9 * bound, "{largest} of {bound}");
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.3 * bound, "mean {mean}");
    }
    let values = |layer: &DeformConv2d| layer.weight().value().download::<f32>().unwrap();
    assert_eq!(values(&one), values(&new(1)));
    assert_ne!(values(&one), values(&two));
}

/// The layer is the operator with its own weight and bias: it passes input, offset, mask and gradient targets on.
#[test]
fn deform_conv2d_passes_targets_on() {
    let sizes = Sizes { in_channels: 4, out_channels: 4, ..PLAIN };
    let case = Case::new("layer", sizes, padded());
    let inputs = crate::device::upload(&case);
    let options = DeformConv2dOptions { deform: padded(), ..DeformConv2dOptions::new(4, 4, [3, 3]) };
    let layer = DeformConv2d::new(operator(), options, 0).unwrap();
    layer.weight().value().write(&case.operands.weight).unwrap();
    layer.bias().unwrap().value().write(case.operands.bias.as_ref().unwrap()).unwrap();
    let output = layer.forward(&inputs.input, &inputs.offset, inputs.mask.as_ref()).unwrap();
    assert_eq!(output.download::<f32>().unwrap(), crate::device::run(&case));
    let grad_output = case.grad_output();
    let upload = Tensor::upload(gpu(), output.shape(), &grad_output).unwrap();
    let grad_offset = poison(inputs.offset.shape());
    let targets = Gradients { offset: Some(Gradient::Write(&grad_offset)), ..Gradients::default() };
    layer.backward(&inputs.input, &inputs.offset, inputs.mask.as_ref(), &upload, &targets, Mode::Write).unwrap();
    let got = Gradients {
        offset: Some(grad_offset.download().unwrap()),
        weight: Some(layer.weight().gradient().download().unwrap()),
        bias: Some(layer.bias().unwrap().gradient().download().unwrap()),
        ..Gradients::default()
    };
    case.expected_gradients(&grad_output).compare(&got).unwrap();
    let mut state = State::default();
    layer.save(&mut state, "dcn.").unwrap();
    assert_eq!(state.get("dcn.weight").unwrap().values, case.operands.weight);
    let other = DeformConv2d::new(operator(), options, 9).unwrap();
    other.load(&state, "dcn.").unwrap();
    assert_eq!(other.bias().unwrap().value().download::<f32>().unwrap(), case.operands.bias.unwrap());
}

/// Without the gradient of the input, which a first layer need not compute.
#[test]
fn conv2d_records_what_it_was_prepared_for() {
    let layer = Conv2d::new(operator(), Conv2dOptions::new(3, 4, [3, 3]), 0).unwrap();
    let (input, grad_output) = (random([1, 3, 6, 5], 1), random([1, 4, 4, 3], 2));
    let output = layer.forward(&input).unwrap();
    layer.backward(&input, &output, &grad_output, Mode::Write).unwrap();
    let gradient = || layer.weight().gradient().download::<f32>().unwrap();
    let expected = gradient();
    layer.weight().gradient().write(&vec![f32::NAN; expected.len()]).unwrap();
    let prepared = layer.prepare_backward(input.shape(), Mode::Skip, Mode::Write).unwrap();
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let targets = layer.targets(None, Mode::Write);
    prepared.record(&mut encoder, &layer.inputs(&input), &output, &grad_output, &targets).unwrap();
    gpu().queue().submit([encoder.finish()]);
    assert_eq!(gradient(), expected);
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let options = DeformableConv2dOptions { groups: 3, ..DeformableConv2dOptions::new(4, 6, [3, 3]) };
    let refused = DeformableConv2d::new(operator(), options, 0).unwrap_err();
    assert!(matches!(refused, Error::NotAMultiple { got: 4, divisor: 3, .. }), "{refused}");
    let none = DeformableConv2dOptions { groups: 0, ..options };
    let refused = DeformableConv2d::new(operator(), none, 0).unwrap_err();
    assert!(matches!(refused, Error::Setting { setting: "groups", .. }), "{refused}");
    let none = DeformableConv2dOptions { groups: 1, offset_groups: 0, ..options };
    let refused = DeformableConv2d::new(operator(), none, 0).unwrap_err();
    assert!(matches!(refused, Error::Setting { setting: "offset_groups", .. }), "{refused}");
    let refused =
        Conv2d::new(operator(), Conv2dOptions { groups: 0, ..Conv2dOptions::new(4, 4, [1, 1]) }, 0).unwrap_err();
    assert!(matches!(refused, Error::Setting { setting: "groups", .. }), "{refused}");
    for kernel_size in [[3, 3], [0, 3]] {
        let refused = CycleFc::new(operator(), CycleFcOptions::new(4, 4, kernel_size), 0).unwrap_err();
        assert!(matches!(refused, Error::Setting { setting: "kernel_size", .. }), "{refused}");
    }
    let refused = CycleFc::new(operator(), CycleFcOptions::new(1 << 40, 1, [1, 3]), 0).unwrap_err();
    assert!(matches!(refused, Error::BufferTooLarge { .. }), "{refused}");
    // A generator whose output is not as large as the layer's.
    let generator = Generator { kernel_size: [3, 3], padding: [0, 0], dilation: [1, 1] };
    let options = DeformableConv2dOptions { generator, ..DeformableConv2dOptions::new(4, 6, [3, 3]) };
    let layer = DeformableConv2d::new(operator(), options, 0).unwrap();
    let refused = layer.forward(&random([1, 4, 8, 8], 0)).unwrap_err();
    assert!(matches!(refused, Error::Axis { operand: "offset", axis: 2, expected: 8, got: 6, .. }), "{refused}");
    let parameter = Parameter::zeros(gpu(), [3]).unwrap();
    assert!(matches!(parameter.value().write(&[1.0f32]), Err(Error::ElementCount { .. })));
    let refused = parameter.value().write(&[half::f16::ONE; 3]).unwrap_err().to_string();
    assert!(refused.contains("stores f32, expected f16"), "{refused}");
}

/// Compares a whole block of a real model, loaded under PyTorch's names. Its weights follow a formula that the script
/// of the stored case has as well.
#[test]
fn birefnets_aspp_meets_pytorch() {
    let block = aspp::AsppDeformable::new(gpu(), &aspp::state()).unwrap();
    let output = block.forward(&aspp::input(gpu(), 16, 20).unwrap()).unwrap();
    assert_eq!(output.shape(), [1, 64, 16, 20]);
    let stored = std::fs::read("tests/golden/birefnet/aspp_deformable.safetensors").unwrap();
    let want = State::from_safetensors(&stored).unwrap().get("output").unwrap().values.clone();
    close("ASPPDeformable", &output, &want.into_iter().map(f64::from).collect::<Vec<_>>());
}

/// Tests what no stored case has: the default options, a generator with the layer's dilation, as in mmcv, and a
/// generator without biases.
#[test]
fn default_and_dilated_generators_are_convolutions() {
    let input = random([1, 4, 12, 13], 2);
    let defaults = DeformableConv2dOptions::new(4, 6, [3, 3]);
    let padding = [2, 2];
    let dilated = DeformableConv2dOptions {
        generator: Generator { kernel_size: [3, 3], padding, dilation: [2, 2] },
        deform: Options { padding, dilation: [2, 2], workspace_limit: 1 << 20, ..Options::default() },
        ..defaults
    };
    for options in [defaults, dilated] {
        let layer = DeformableConv2d::new(operator(), options, 3).unwrap();
        let names: Vec<_> =
            layer.regular_parameters().into_iter().chain(layer.generator_parameters()).map(|(name, _)| name).collect();
        let convs = ["regular_conv", "offset_conv", "modulator_conv"];
        assert_eq!(names, convs.map(|conv| ["weight", "bias"].map(|part| format!("{conv}.{part}"))).concat());
        let mut state = State::default();
        for (name, parameter) in layer.generator_parameters() {
            let count: usize = parameter.value().shape().iter().product();
            let values: Vec<f32> = (0..count).map(|n| 0.2 * ((n * 7919 % 1021) as f32 / 510.5 - 1.0)).collect();
            parameter.value().write(&values).unwrap();
            // A state without biases must reset the layer's biases.
            if !name.ends_with("bias") {
                state.store(name, parameter.value()).unwrap();
            }
        }
        layer.regular_conv.save(&mut state, "regular_conv.").unwrap();
        layer.load(&state, "").unwrap();
        let forward = layer.forward(&input).unwrap();
        assert_eq!(forward.output.shape(), [1, 6, 12, 13]);
        let conv = |weight: &Parameter, activation| {
            let Generator { padding, dilation, .. } = options.generator;
            let options = conv2d::Options { padding, dilation, activation, ..conv2d::Options::default() };
            let inputs = conv2d::Inputs { input: &input, weight: weight.value(), bias: None };
            conv2d::Conv2d::new(gpu()).forward(&inputs, options).unwrap().download::<f32>().unwrap()
        };
        let offset: Vec<f32> = forward.offset.download().unwrap();
        assert_eq!(offset, conv(layer.offset_conv.weight(), conv2d::Activation::Identity));
        let mask: Vec<f32> = forward.mask.unwrap().download().unwrap();
        assert_eq!(mask, conv(layer.mask_conv.unwrap().weight(), conv2d::Activation::Sigmoid));
    }
    // The generators keep to the layer's workspace limit, which is too small for the gradients here.
    let deform = Options { workspace_limit: 64, ..defaults.deform };
    let layer = DeformableConv2d::new(operator(), DeformableConv2dOptions { deform, ..defaults }, 0).unwrap();
    let output = layer.offset_conv.forward(&input).unwrap();
    let refused = layer.offset_conv.backward(&input, &output, &output, Mode::Write).unwrap_err();
    assert!(matches!(refused, Error::WorkspaceTooSmall { got: 64, .. }), "{refused}");
    // Sizes that no device holds are an error before anything is allocated.
    let huge = DeformConv2d::new(operator(), DeformConv2dOptions::new(1, 1 << 44, [1, 1]), 0).unwrap_err();
    assert!(matches!(huge, Error::BufferTooLarge { .. }), "{huge}");
    let huge = DeformConv2d::new(operator(), DeformConv2dOptions::new(1 << 40, 1, [1 << 40, 1]), 0).unwrap_err();
    assert!(matches!(huge, Error::TooLarge { .. }), "{huge}");
}
