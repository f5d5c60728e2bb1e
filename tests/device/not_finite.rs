//! NaN and infinite operands. A NaN in an offset makes a sample of 0. In any other operand a value that is not finite is
//! never hidden: it reaches the output and every gradient that torchvision lets it reach, also where it is multiplied by
//! a sample of 0.

use deform::ops::conv2d::Activation;
use deform::ops::deform_conv2d::Tile;
use deform::{Gradients, Options, Tensor};

use crate::backward::{all, run_backward, ways};
use crate::conv2d;
use crate::device::{check, distinct_algorithms, gpu};
use crate::support::case::{Case, OffsetPlace, PLAIN, Sizes, depthwise, padded, regular};

/// Lets the taps lie between pixels, on pixels, at exactly −1, outside the image, and nowhere, in turns.
fn everywhere(at: OffsetPlace, offset: f32) -> f32 {
    let whole = [at.y, at.x][at.axis] as f32 + at.tap[at.axis] as f32 - 1.0;
    match (at.plane / 2 + 6 * at.y + at.x) % 7 {
        0 => 0.0,
        1 if at.axis == 0 => -1.0 - whole,
        2 if at.axis == 1 => -1.0 - whole,
        3 => 100.0,
        4 if at.axis == 1 => f32::NAN,
        5 => f32::NEG_INFINITY,
        _ => offset,
    }
}

const SIZES: Sizes = Sizes { batch: 2, in_channels: 6, out_channels: 6, groups: 2, offset_groups: 3, ..PLAIN };

/// Returns a case for each operand and value: some elements of the operand have the value.
fn cases() -> impl Iterator<Item = Case> {
    let plain = Case::new("not finite", SIZES, padded()).with_offsets(everywhere);
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    values.into_iter().flat_map(move |value| {
        let plain = plain.clone();
        ["input", "weight", "mask", "bias"].into_iter().map(move |operand| {
            let mut case = Case { name: format!("{value} in {operand}"), ..plain.clone() };
            let values = match operand {
                "input" => &mut case.operands.input,
                "weight" => &mut case.operands.weight,
                "mask" => case.operands.mask.as_mut().unwrap(),
                _ => case.operands.bias.as_mut().unwrap(),
            };
            // Few enough that most elements of the results stay finite.
            let every = values.len().div_ceil(5).max(4);
            values.iter_mut().skip(3).step_by(every).for_each(|element| *element = value);
            case
        })
    })
}

/// Compares the gradients with the reference, which also tells the elements that are not finite.
fn check_gradients(case: &Case, grad_output: &[f32]) {
    let got = run_backward(case, grad_output, all(case));
    let compared = case.expected_gradients(grad_output).compare(&got);
    compared.unwrap_or_else(|error| panic!("{} by {:?}: {error}", case.name, case.options.algorithm));
}

#[test]
fn no_algorithm_hides_a_value_that_is_not_finite() {
    for case in cases() {
        for algorithm in distinct_algorithms().into_iter().chain(Tile::M32N32.algorithms(1)) {
            check(&case.clone().by(algorithm));
        }
        check(&depthwise(case));
    }
}

/// Checks that NaN weights of the second of two groups reach the gradients of its channels and taps alone.
fn check_second_group(case: &Case) {
    let got = run_backward(case, &case.grad_output(), all(case));
    for values in [got.input.unwrap(), got.offset.unwrap(), got.mask.unwrap()] {
        let (first, second) = values.split_at(values.len() / 2);
        assert!(first.iter().all(|value| value.is_finite()) && second.iter().any(|value| value.is_nan()));
    }
}

/// The channels of an offset group may not fill up its last pack. The weight of the next channel must not get there.
#[test]
fn a_nan_weight_reaches_only_the_gradients_of_its_offset_group() {
    for algorithm in ways() {
        let sizes = Sizes { in_channels: 6, offset_groups: 2, ..PLAIN };
        let mut case = Case::new("a NaN weight", sizes, Options { algorithm, ..padded() });
        // Channel 3 is the first of the second group.
        case.operands.weight.chunks_mut(9).skip(3).step_by(6).for_each(|taps| taps.fill(f32::NAN));
        check_second_group(&case);
    }
}

/// The output channels of a weight group may not fill up their last pack either.
#[test]
fn a_nan_weight_reaches_only_the_gradients_of_its_weight_group() {
    for (algorithm, rows) in ways().into_iter().flat_map(|algorithm| [1, 2, 3].map(|rows| (algorithm, rows))) {
        let sizes = Sizes { in_channels: 10, out_channels: 2 * rows, groups: 2, offset_groups: 2, ..PLAIN };
        let mut case = Case::new("NaN weights", sizes, Options { algorithm, ..padded() });
        let half = case.operands.weight.len() / 2;
        case.operands.weight[half..].fill(f32::NAN);
        check_second_group(&case);
    }
}

#[test]
fn no_gradient_hides_a_value_that_is_not_finite() {
    for case in cases() {
        for algorithm in ways() {
            let case = case.clone().by(algorithm);
            check_gradients(&case, &case.grad_output());
        }
        check_gradients(&depthwise(case.clone()), &depthwise(case.clone()).grad_output());
    }
}

/// A value of the gradient of the output reaches the gradients of the taps that lie outside, too.
#[test]
fn no_gradient_hides_a_gradient_of_the_output_that_is_not_finite() {
    let plain = Case::new("grad_output", SIZES, padded()).with_offsets(everywhere);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let poisoned = |case: &Case| {
            let mut grad_output = case.grad_output();
            grad_output.iter_mut().skip(7).step_by(97).for_each(|element| *element = value);
            // The first pixel of the second image lies behind the last of the first.
            let second = grad_output.len() / 2;
            grad_output[second] = value;
            grad_output
        };
        for algorithm in ways() {
            let case = Case { options: Options { algorithm, ..plain.options }, ..plain.clone() };
            check_gradients(&case, &poisoned(&case));
        }
        let case = depthwise(plain.clone());
        check_gradients(&case, &poisoned(&case));
    }
}

/// An ordinary convolution multiplies the zeros of its padding, too.
#[test]
fn an_ordinary_convolution_hides_no_nan() {
    let sizes = Sizes { in_channels: 3, out_channels: 3, ..PLAIN };
    for algorithm in ways() {
        let case = regular(Case::new("ordinary", sizes, Options { algorithm, ..padded() }));
        let shapes = conv2d::shapes(&case);
        let mut inputs = conv2d::upload(&case);
        let options = conv2d::options(&case, Activation::Identity);
        let output = conv2d::conv2d().forward(&inputs.as_ref(), options).unwrap();
        // The first pixel of the last output channel: four of its nine taps lie in the padding.
        let mut grad_output = case.grad_output();
        grad_output[2 * 42] = f32::NAN;
        let grad_output = Tensor::upload(gpu(), output.shape(), &grad_output).unwrap();
        let wanted = deform::ops::conv2d::Gradients::ALL;
        let gradients = conv2d::conv2d().backward(&inputs.as_ref(), &output, &grad_output, wanted, options).unwrap();
        let weight: Vec<f32> = gradients.weight.unwrap().download().unwrap();
        assert!(
            weight.iter().enumerate().all(|(n, value)| value.is_nan() == (n >= 2 * 27)),
            "{algorithm:?}: {weight:?}"
        );

        // The first tap of the first output channel.
        let mut weight = case.operands.weight.clone();
        weight[0] = f32::NAN;
        inputs.weight = Tensor::upload(gpu(), shapes.weight, &weight).unwrap();
        let output: Vec<f32> = conv2d::conv2d().forward(&inputs.as_ref(), options).unwrap().download().unwrap();
        assert!(output.iter().enumerate().all(|(n, value)| value.is_nan() == (n < 42)), "{algorithm:?}: {output:?}");
    }
}

/// The tests above would pass if everything were NaN.
#[test]
fn a_nan_outside_the_image_reaches_weight_mask_and_offset_alone() {
    for algorithm in ways() {
        let sizes = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], ..PLAIN };
        let case = Case::new("outside", sizes, Options { algorithm, ..Options::default() });
        let mut case = case.with_offsets(|at, _| if [0, 42].contains(&at.index) { 100.0 } else { 0.0 });
        case.operands.mask.as_mut().unwrap()[0] = f32::NAN;
        let got: Gradients<Option<Vec<f32>>> = run_backward(&case, &case.grad_output(), all(&case));
        let nans = |values: &Option<Vec<f32>>| values.as_ref().unwrap().iter().filter(|value| value.is_nan()).count();
        assert_eq!(got.map(nans), Gradients { input: 0, offset: 2, weight: 1, mask: 0, bias: 0 }, "{algorithm:?}");
    }
}
