//! Checks that the comparator rejects each way in which a result can be wrong, and accepts what f32 makes of a right one.

use deform::ops::deform_conv2d::reference::Reference;
use deform::{Gradients, Inputs};
use deform_case::{ErrorBound, ErrorBounds};

use crate::support::case::{Case, PLAIN, Sizes, padded};
use crate::support::compare::compare;
use crate::support::golden;
use crate::support::numbers::{rounded, whole};

fn plain() -> Case {
    Case::new("plain", PLAIN, padded())
}

/// Returns the reference's output rounded to f32 and not rounded, and its bounds.
fn output_of(case: &Case) -> (Vec<f32>, Vec<f64>, Vec<ErrorBound>) {
    let (want, bounds) = case.expected();
    (round(&want), want, bounds)
}

fn round(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| rounded(value)).collect()
}

#[test]
fn accepts_the_reference_rounded_to_f32() {
    let (got, want, bounds) = output_of(&plain());
    let worst = compare(&got, &want, &bounds).unwrap();
    assert!(worst > 0.0 && worst < 0.1, "{worst}");
}

#[test]
fn rejects_one_wrong_element() {
    let (mut got, want, bounds) = output_of(&plain());
    got[17] += 1e-3;
    let error = compare(&got, &want, &bounds).unwrap_err();
    assert!(error.contains("element 17 "), "{error}");
}

#[test]
fn rejects_a_number_that_is_not_finite_unless_the_same_is_expected() {
    let (mut got, mut want, bounds) = output_of(&plain());
    let all = [1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    for expected in all {
        for computed in all {
            (got[3], want[3]) = (computed, f64::from(expected));
            let same = computed.to_bits() == expected.to_bits();
            assert_eq!(compare(&got, &want, &bounds).is_ok(), same, "{computed}, expected {expected}");
        }
    }
}

/// Returns the elements of the output at which an operand with a changed pixel differs from the plain case.
fn changed(case: &Case, want: &[f64]) -> Vec<bool> {
    let (plain, _) = plain().expected();
    assert_eq!(case.shapes.input, PLAIN.shapes(&padded()).input);
    plain.iter().zip(want).map(|(plain, want)| plain.to_bits() != want.to_bits()).collect()
}

/// An infinite or huge pixel loosens no bound of an element that does not read it. All of its readers are checked, too.
#[test]
fn an_infinite_or_huge_pixel_excuses_no_other_element() {
    let plain_bounds = plain().expected().1;
    for pixel in [f32::INFINITY, f32::NAN, 1e30] {
        let mut case = plain();
        case.operands.input[20] = pixel;
        let (got, want, bounds) = output_of(&case);
        compare(&got, &want, &bounds).unwrap();
        let changed = changed(&case, &want);
        assert!(changed.contains(&true) && changed.contains(&false));
        for n in 0..got.len() {
            let mut wrong = got.clone();
            wrong[n] = if changed[n] { 1.0 } else { got[n] + 1e-3 };
            assert!(compare(&wrong, &want, &bounds).is_err(), "element {n} with a pixel of {pixel}");
            assert!(changed[n] || bounds[n] == plain_bounds[n]);
        }
    }
}

/// Each element of a gradient is bounded by its own terms, too.
#[test]
fn a_huge_operand_excuses_no_other_element_of_a_gradient() {
    let sizes = Sizes { in_channels: 2, out_channels: 2, groups: 2, offset_groups: 2, ..PLAIN };
    let case = Case::new("two", sizes, padded());
    let grad_output = case.grad_output();
    let pixels = case.geometry().out_pixels();
    let mut huge = case.clone();
    // The first image of the first group, its weights and its gradient of the output.
    huge.operands.input[..pixels].fill(1e30);
    huge.operands.weight[..9].fill(1e30);
    let mut huge_grad = grad_output.clone();
    huge_grad[0] = 1e30;
    let want = huge.expected_gradients(&huge_grad);
    let right = want.value.map(|values| values.as_ref().map(|values| round(values)));
    want.compare(&right).unwrap();
    for (operand, values) in right.iter() {
        let values = values.as_ref().unwrap();
        let mut wrong = values.clone();
        // The last element belongs to the second group.
        wrong[values.len() - 1] += 1e-2;
        let only = Gradients::from_fn(|other| (other == operand).then(|| wrong.clone()));
        let error = want.compare(&only).unwrap_err();
        assert!(error.contains(&format!("element {}", values.len() - 1)), "{error}");
    }
}

#[test]
fn a_sum_that_may_pass_the_largest_f32_may_be_infinite_or_nan() {
    let sizes = Sizes { in_channels: 2, out_channels: 1, kernel: [1, 1], mask: false, bias: false, ..PLAIN };
    let mut case = Case::new("overflow", sizes, Default::default()).with_offsets(|_, _| 0.0);
    case.operands.weight = vec![1.0, -1.0];
    case.operands.input.fill(1.0);
    case.operands.input[0] = 3e38;
    case.operands.input[42] = 3e38;
    let (mut got, want, bounds) = output_of(&case);
    assert_eq!(want[0], 0.0);
    for computed in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0] {
        got[0] = computed;
        compare(&got, &want, &bounds).unwrap();
    }
    (got[0], got[1]) = (0.0, f32::INFINITY);
    assert!(compare(&got, &want, &bounds).is_err());
}

#[test]
fn an_infinite_term_may_make_nan_of_an_infinity() {
    let mut case = plain();
    case.operands.bias.as_mut().unwrap()[0] = f32::INFINITY;
    let (mut got, want, bounds) = output_of(&case);
    assert_eq!(want[0], f64::INFINITY);
    for (computed, accepted) in [(f32::INFINITY, true), (f32::NAN, true), (f32::NEG_INFINITY, false), (1.0, false)] {
        got[0] = computed;
        assert_eq!(compare(&got, &want, &bounds).is_ok(), accepted, "{computed}");
    }
}

#[test]
fn rejects_swapped_axes() {
    let case = plain();
    let (got, want, bounds) = output_of(&case);
    let [_, channels, height, width] = case.geometry().output_shape();
    let swapped: Vec<_> = (0..got.len())
        .map(|at| {
            let (c, y, x) = (at / (height * width), at / width % height, at % width);
            assert!(c < channels);
            got[c * height * width + x * height + y]
        })
        .collect();
    assert!(compare(&swapped, &want, &bounds).is_err());
}

#[test]
fn rejects_another_number_of_elements() {
    let (got, want, bounds) = output_of(&plain());
    assert!(compare(&got[1..], &want, &bounds).is_err());
    assert!(compare(&[], &want, &bounds).is_err());
}

/// Returns torchvision's `bilinear_interpolate`, operation by operation in f32, times the weight.
fn one_term([v1, v2, v3, v4]: [f32; 4], [lh, lw]: [f32; 2], weight: f32) -> f32 {
    let (hh, hw) = (1.0 - lh, 1.0 - lw);
    let (w1, w2, w3, w4) = (hh * hw, hh * lw, lh * hw, lh * lw);
    weight * (w1 * v1 + w2 * v2 + w3 * v3 + w4 * v4)
}

fn one_term_case(input: [f32; 4], offset: [f32; 2], weight: f32) -> Case {
    let options = deform::Options { stride: [2, 2], ..Default::default() };
    let operands =
        Inputs { input: input.to_vec(), offset: offset.to_vec(), weight: vec![weight], mask: None, bias: None };
    let shapes =
        Inputs { input: vec![1, 1, 2, 2], offset: vec![1, 2, 1, 1], weight: vec![1, 1, 1, 1], mask: None, bias: None };
    Case { name: "one term".into(), options, shapes, operands }
}

/// A sum of one term has several roundings, too.
#[test]
fn accepts_one_term_as_torchvision_computes_it() {
    let (input, offset, weight) = ([0.63198, 1.1267421, -0.9107997, 0.46675634], [0.0625, 0.96875], 0.12063298);
    let got = one_term(input, offset, weight);
    let (want, bounds) = one_term_case(input, offset, weight).expected();
    // The error is more than four roundings of the terms.
    let error = (f64::from(got) - want[0]).abs();
    assert!(error > 4.0 * 2f64.powi(-24) * bounds[0].terms, "{error:e}");
    compare(&[got], &want, &bounds).unwrap();

    let mut worst = 0.0;
    let mut random = plain().grad_output().into_iter().cycle();
    let mut next = || random.next().unwrap();
    for _ in 0..40 {
        let (input, weight) = ([next(), next(), next(), next()], next());
        let offset = [next(), next()].map(f32::abs);
        let (want, bounds) = one_term_case(input, offset, weight).expected();
        worst = f64::max(worst, compare(&[one_term(input, offset, weight)], &want, &bounds).unwrap());
    }
    assert!(worst > 0.05, "{worst}");
}

/// Σ|terms| is the sum of the operands' absolute values.
#[test]
fn magnitudes_are_sums_of_absolute_values() {
    let sizes = Sizes { batch: 2, in_channels: 6, out_channels: 4, groups: 2, offset_groups: 3, ..PLAIN };
    let case = Case::new("magnitudes", sizes, padded());
    let geometry = case.geometry();
    let grad_output = case.grad_output();
    let mut absolute = case.operands.map(|operand| operand.iter().map(|value| value.abs()).collect::<Vec<_>>());
    absolute.offset.clone_from(&case.operands.offset);
    let absolute = Reference::new(&geometry, absolute.map(Vec::as_slice)).unwrap();
    let magnitudes = Reference::new(&geometry, case.slices()).unwrap().magnitudes();
    assert_eq!(magnitudes.forward(), absolute.forward());
    let absolute_grad: Vec<_> = grad_output.iter().map(|value| value.abs()).collect();
    let (got, want) = (magnitudes.backward(&grad_output).unwrap(), absolute.backward(&absolute_grad).unwrap());
    for (operand, got) in got.iter().filter(|(operand, _)| operand.name() != "offset") {
        assert_eq!(got, &want[operand], "{operand}");
    }
    // A slope's terms are four corners, whose weights add up to 2.
    let value = Reference::new(&geometry, case.slices()).unwrap().backward(&grad_output).unwrap().offset.unwrap();
    for (value, magnitude) in value.iter().zip(got.offset.unwrap()) {
        assert!(value.abs() <= magnitude);
    }
}

#[test]
fn readers_are_the_taps_that_have_a_pixel_as_a_corner() {
    let sizes = Sizes { batch: 2, in_channels: 2, offset_groups: 2, ..PLAIN };
    let mut counted = vec![0; 2 * 2 * 42];
    let case = Case::new("readers", sizes, padded());
    let offset = &case.operands.offset;
    for (plane, oy, ox) in (0..2 * 2 * 9).flat_map(|plane| (0..42).map(move |pixel| (plane, pixel / 6, pixel % 6))) {
        let tap = plane % 9;
        let [y, x] = [0, 1].map(|axis| offset[(2 * plane + axis) * 42 + oy * 6 + ox]);
        let y = whole((oy + tap / 3) as f32 - 1.0 + y);
        let x = whole((ox + tap % 3) as f32 - 1.0 + x);
        for (y, x) in [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)] {
            if let (Ok(y @ 0..7), Ok(x @ 0..6)) = (usize::try_from(y), usize::try_from(x)) {
                counted[plane / 9 * 42 + y * 6 + x] += 1;
            }
        }
    }
    let geometry = case.geometry();
    assert_eq!(Reference::new(&geometry, case.slices()).unwrap().readers(), counted);
}

/// Rounding positions to f32 changes no element by more than its bound's part for positions, and some by more than the
/// rest of the bound.
#[test]
fn rounded_positions_stay_within_their_part_of_the_bound() {
    let sizes = Sizes { input: [7, 900], in_channels: 1, out_channels: 2, ..PLAIN };
    // Rounding carries positions just below a whole number onto it.
    for fixed in [None, Some(1.0 - 2f32.powi(-24))] {
        let case = Case::new("far", sizes, padded()).with_offsets(|_, offset| fixed.unwrap_or(offset));
        let geometry = case.geometry();
        let grad_output = case.grad_output();
        let rounded = Reference::new(&geometry, case.slices()).unwrap();
        let exact = rounded.with_exact_positions();
        assert!(rounded.positions_are_f32() && !exact.positions_are_f32());
        let check = |rounded: &[f64], exact: &[f64], bounds: &[ErrorBound]| {
            let mut beyond = 0;
            for (n, bound) in bounds.iter().enumerate() {
                let error = (rounded[n] - exact[n]).abs();
                assert!(error <= bound.position * (1.0 + 1e-9) + 1e-12, "element {n}: {error:e}, {bound:?}");
                beyond += usize::from(error > bound.roundings);
            }
            beyond
        };
        let bounds = ErrorBounds::new(exact);
        let mut beyond = check(&rounded.forward(), &exact.forward(), &bounds.output());
        let (rounded, exact) = (rounded.backward(&grad_output).unwrap(), exact.backward(&grad_output).unwrap());
        for (operand, bounds) in bounds.gradients(&grad_output).unwrap().iter() {
            let [rounded, exact] = [&rounded, &exact].map(|gradients| gradients[operand].as_ref().unwrap());
            beyond += check(rounded, exact, bounds.as_ref().unwrap());
        }
        assert!(beyond > 0);
    }
}

#[test]
fn bounds_of_single_elements_are_those_of_the_whole() {
    let sizes = Sizes { batch: 2, in_channels: 6, out_channels: 4, groups: 2, offset_groups: 3, ..PLAIN };
    let case = Case::new("elements", sizes, padded());
    let (geometry, grad_output) = (case.geometry(), case.grad_output());
    let bounds = ErrorBounds::new(Reference::new(&geometry, case.slices()).unwrap().with_exact_positions());
    let close = |got: ErrorBound, want: ErrorBound| {
        let near = |got: f64, want: f64| (got - want).abs() <= 1e-9 * want;
        near(got.roundings, want.roundings) && near(got.position, want.position) && near(got.terms, want.terms)
    };
    let [_, channels, height, width] = geometry.output_shape();
    for (n, &whole) in bounds.output().iter().enumerate() {
        let at = [n / width / height / channels, n / width / height % channels, n / width % height, n % width];
        assert!(close(bounds.output_at(at), whole), "{at:?}");
    }
    for (operand, whole) in bounds.gradients(&grad_output).unwrap().iter() {
        let whole = whole.as_ref().unwrap();
        let at: Vec<_> = (0..whole.len()).collect();
        for (n, got) in bounds.gradient_at(operand, &grad_output, &at).into_iter().enumerate() {
            assert!(close(got, whole[n]), "{operand} {n}: {got:?}, {:?}", whole[n]);
        }
    }
}

/// torchvision's gradients of positions that are not exact in f32 are met by the reference that rounds them.
#[test]
fn rounded_positions_meet_torchvisions_exact_ones() {
    let golden = golden::all().into_iter().find(|golden| golden.case.name == "real_offset").unwrap();
    let geometry = golden.case.geometry();
    let rounded = Reference::new(&geometry, golden.case.slices()).unwrap();
    let output = round(&rounded.forward());
    compare(&output, &golden.output, &golden.case.bounds_at_exact_positions()).unwrap();
    let mut expected = golden.case.gradients_at_exact_positions(&golden.grad_output);
    expected.value = golden.gradients;
    let got = rounded.backward(&golden.grad_output).unwrap();
    expected.compare(&got.map(|values| values.as_ref().map(|values| round(values)))).unwrap();
}
