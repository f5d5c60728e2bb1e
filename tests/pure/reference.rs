//! Compares the reference with torchvision's stored answers, and its gradients with finite differences.

use deform::ops::deform_conv2d::Operand;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{Error, Inputs, Options};

use crate::support::case::{Case, PLAIN, Sizes, padded, regular};
use crate::support::golden;

/// The relative tolerance. Both sides are f64 sums of the same products in another order, whose difference is far below
/// it; a wrong term is far above it.
const TOLERANCE: f64 = 1e-11;

fn assert_close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}: elements");
    let scale = want.iter().fold(1.0, |scale, value| f64::max(scale, value.abs()));
    for (n, (got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want).abs();
        assert!(error <= TOLERANCE * scale, "{what}[{n}] is {got}, expected {want}");
    }
}

#[test]
fn meets_every_stored_case_in_values_and_gradients() {
    for golden in golden::all() {
        let case = &golden.case;
        let geometry = case.geometry();
        assert_eq!((geometry.groups, geometry.offset_groups), (golden.groups, golden.offset_groups), "{}", case.name);
        let reference = Reference::new(&geometry, case.slices()).unwrap().with_exact_positions();
        assert_close(&case.name, &reference.forward(), &golden.output);

        let gradients = reference.backward(&golden.grad_output).unwrap();
        for (operand, got) in gradients.iter() {
            let what = format!("{} {}", case.name, operand.gradient_name());
            match (got, &golden.gradients[operand]) {
                (Some(got), Some(want)) => assert_close(&what, got, want),
                (None, None) => {}
                _ => panic!("{what} is in one of call and file"),
            }
        }
    }
}

#[test]
fn meets_the_published_numbers_of_onnx_and_mmcv() {
    // The numbers of ONNX's node tests of DeformConv, and of mmcv's test.
    let ones = vec![1.0; 4];
    let image: Vec<f32> = (0..9u8).map(f32::from).collect();
    let onnx = |padding: usize, mask: bool, bias: bool| {
        let sizes = Sizes { in_channels: 1, out_channels: 1, input: [3, 3], kernel: [2, 2], mask, bias, ..PLAIN };
        let options = deform::Options { padding: [padding, padding], ..Default::default() };
        let mut case = Case::new("onnx", sizes, options).with_offsets(|_, _| 0.0);
        case.operands.input.clone_from(&image);
        case.operands.weight.clone_from(&ones);
        case.operands.offset[0] = 0.5;
        let [_, _, height, width] = case.geometry().output_shape();
        let pixel = if padding == 1 { width + 2 } else { 1 };
        case.operands.offset[5 * height * width + pixel] = -0.1;
        case
    };
    let output = |case: &Case| Reference::new(&case.geometry(), case.slices()).unwrap().forward();
    let expect = |case: &Case, want: &[f64]| {
        let got = output(case);
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6), "{got:?}, expected {want:?}");
        assert_eq!(got.len(), want.len());
    };
    let padded = [0., 1., 3., 2., 3., 8., 11.9, 7., 9., 20., 24., 13., 6., 13., 15., 8.];
    expect(&onnx(1, false, false), &padded);
    expect(&onnx(0, false, false), &[9.5, 11.9, 20.0, 24.0]);
    let mut masked = onnx(0, true, true);
    masked.operands.mask = Some((0..16).map(|n| if n == 2 * 4 + 3 { 0.2 } else { 1.0 }).collect());
    masked.operands.bias = Some(vec![1.0]);
    expect(&masked, &[10.5, 12.9, 21.0, 19.4]);

    let mut mmcv = Case::new(
        "mmcv",
        Sizes { in_channels: 1, out_channels: 1, input: [3, 3], kernel: [2, 2], bias: false, ..PLAIN },
        crate::support::case::padded(),
    )
    .with_offsets(|_, _| 0.0);
    mmcv.operands.input = [1.0, 2.0, 3.0].repeat(3);
    mmcv.operands.weight.clone_from(&ones);
    mmcv.operands.mask = Some(vec![0.5; 4 * 16]);
    expect(&mmcv, &[0.5, 1.5, 2.5, 1.5, 1., 3., 5., 3., 1., 3., 5., 3., 0.5, 1.5, 2.5, 1.5]);
}

/// Returns the loss ⟨grad_output, output⟩.
fn loss(case: &Case, grad_output: &[f32]) -> f64 {
    let output = Reference::new(&case.geometry(), case.slices()).unwrap().forward();
    output.iter().zip(grad_output).map(|(value, grad)| value * f64::from(*grad)).sum()
}

#[test]
fn gradients_meet_finite_differences() {
    // The offsets are odd multiples of 1/64, so that a step of 1/128 stays within the cell. There the loss is linear in
    // each single value, and as the steps are exact in f32, a central difference has only f64's rounding error.
    let sizes =
        Sizes { batch: 2, in_channels: 4, out_channels: 6, input: [5, 4], groups: 2, offset_groups: 2, ..PLAIN };
    let mut case =
        Case::new("differences", sizes, padded()).with_offsets(|_, value| (value * 32.0).round() / 32.0 + 1.0 / 64.0);
    let round = |values: &mut Vec<f32>| values.iter_mut().for_each(|value| *value = (*value * 64.0).round() / 64.0);
    round(&mut case.operands.input);
    round(&mut case.operands.weight);
    round(case.operands.mask.as_mut().unwrap());
    round(case.operands.bias.as_mut().unwrap());
    let outputs = case.geometry().output_shape().iter().product();
    let grad_output: Vec<f32> = (0..outputs).map(|n: usize| (n * 37 % 64) as f32 / 32.0 - 1.0).collect();
    let gradients = Reference::new(&case.geometry(), case.slices()).unwrap().backward(&grad_output).unwrap();

    type Values = fn(&mut Inputs<Vec<f32>>) -> &mut Vec<f32>;
    let operands: [(Operand, Values); 5] = [
        (Operand::Input, |inputs| &mut inputs.input),
        (Operand::Offset, |inputs| &mut inputs.offset),
        (Operand::Weight, |inputs| &mut inputs.weight),
        (Operand::Mask, |inputs| inputs.mask.as_mut().unwrap()),
        (Operand::Bias, |inputs| inputs.bias.as_mut().unwrap()),
    ];
    const STEP: f32 = 1.0 / 128.0;
    for (operand, values) in operands {
        let gradient = gradients[operand].as_ref().unwrap();
        let count = values(&mut case.operands).len();
        assert_eq!(count, gradient.len());
        for n in (0..count).step_by(1 + count / 40) {
            let moved = |by: f32| {
                let mut moved = case.clone();
                values(&mut moved.operands)[n] += by;
                loss(&moved, &grad_output)
            };
            let difference = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            assert!((difference - gradient[n]).abs() < 1e-9, "{operand}[{n}]: {difference}, gradient {}", gradient[n]);
        }
    }
}

#[test]
fn offsets_that_are_not_finite_give_finite_results() {
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, f32::MAX, 0.25];
    let case = Case::new("not finite", PLAIN, padded()).with_offsets(|at, _| special[at.index % special.len()]);
    let geometry = case.geometry();
    let reference = Reference::new(&geometry, case.slices()).unwrap();
    let gradients = reference.backward(&vec![1.0; geometry.output_shape().iter().product()]).unwrap();
    let gradients = gradients.iter().flat_map(|(_, gradient)| gradient.as_ref().unwrap());
    assert!(gradients.chain(&reference.forward()).all(|value| value.is_finite()));
}

#[test]
fn slices_of_wrong_lengths_are_an_error() {
    let case = Case::new("plain", PLAIN, padded());
    let geometry = case.geometry();
    let error = |change: fn(&mut Inputs<Vec<f32>>)| {
        let mut operands = case.operands.clone();
        change(&mut operands);
        Reference::new(&geometry, operands.map(Vec::as_slice)).unwrap_err()
    };
    let count =
        |shape: &[usize], got| Error::ElementCount { shape: shape.to_vec(), expected: shape.iter().product(), got };
    assert_eq!(error(|operands| operands.input.push(0.0)), count(&[1, 4, 7, 6], 169));
    assert_eq!(error(|operands| operands.offset.clear()), count(&[1, 18, 7, 6], 0));
    assert_eq!(error(|operands| operands.weight.truncate(9)), count(&[4, 4, 3, 3], 9));
    assert_eq!(error(|operands| operands.mask = None), count(&[1, 9, 7, 6], 0));
    assert_eq!(error(|operands| operands.bias = None), count(&[4], 0));
    let short = Reference::new(&geometry, case.slices()).unwrap().backward(&[1.0]).unwrap_err();
    assert_eq!(short, count(&[1, 4, 7, 6], 1));
}

#[test]
fn single_elements_of_a_gradient_are_those_of_the_whole() {
    let sizes = Sizes { batch: 2, in_channels: 6, out_channels: 4, groups: 2, offset_groups: 3, ..PLAIN };
    let case = Case::new("elements", sizes, padded());
    let grad_output = case.grad_output();
    let geometry = case.geometry();
    let reference = Reference::new(&geometry, case.slices()).unwrap();
    let whole = reference.backward(&grad_output).unwrap();
    for (operand, whole) in whole.iter() {
        for (n, want) in whole.as_ref().unwrap().iter().enumerate() {
            let got = reference.gradient_at(operand, &grad_output, n);
            assert!((got - want).abs() < 1e-12, "{operand}: {got}, expected {want}");
        }
    }
}

/// Compares with plain loops over the definition of an ordinary convolution.
#[test]
fn zero_offsets_give_an_ordinary_convolution() {
    let sizes = Sizes { batch: 2, in_channels: 4, out_channels: 6, groups: 2, input: [9, 8], kernel: [3, 2], ..PLAIN };
    let options = Options { stride: [2, 1], padding: [2, 1], dilation: [1, 3], ..Options::default() };
    let case = regular(Case::new("ordinary", sizes, options));
    let g = case.geometry();
    let operands = &case.operands;
    let output = Reference::new(&g, case.slices()).unwrap().forward();
    for (n, got) in output.into_iter().enumerate() {
        let (ox, oy) = (n % g.out_width, n / g.out_width % g.out_height);
        let (o, b) = (n / g.out_pixels() % 6, n / g.out_pixels() / 6);
        let mut want = f64::from(operands.bias.as_ref().unwrap()[o]);
        for c in 0..2 {
            for i in 0..3 {
                for j in 0..2 {
                    // Two rows and one column of padding.
                    let (y, x) = (2 * oy + i, ox + 3 * j);
                    if (2..9 + 2).contains(&y) && (1..8 + 1).contains(&x) {
                        let plane = b * 4 + o / 3 * 2 + c;
                        let pixel = operands.input[(plane * 9 + y - 2) * 8 + x - 1];
                        want += f64::from(operands.weight[((o * 2 + c) * 3 + i) * 2 + j]) * f64::from(pixel);
                    }
                }
            }
        }
        assert!((got - want).abs() < 1e-12, "element {n}: {got}, expected {want}");
    }
}
