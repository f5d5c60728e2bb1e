//! Properties of the output that hold independently of the reference.

use deform::Options;
use deform::ops::deform_conv2d::Algorithm;
use deform::ops::deform_conv2d::reference::Reference;

use crate::device::{algorithms, run};
use crate::support::case::{Case, PLAIN, Sizes, padded};
use crate::support::compare::compare;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Returns element (oy, ox) of output channel `o` of the case as an ordinary convolution with 11×9 pixels, two weight
/// groups of three input and two output channels, a 3×3 kernel, stride [2, 1], padding [1, 2] and dilation [1, 2].
fn convolved(case: &Case, [o, oy, ox]: [usize; 3]) -> f64 {
    let operands = &case.operands;
    let mut sum = f64::from(operands.bias.as_ref().unwrap()[o]);
    for c in 0..3 {
        for i in 0..3 {
            for j in 0..3 {
                let (y, x) = (2 * oy + i, ox + 2 * j);
                if (1..12).contains(&y) && (2..11).contains(&x) {
                    let pixel = operands.input[((o / 2 * 3 + c) * 11 + y - 1) * 9 + x - 2];
                    sum += f64::from(pixel) * f64::from(operands.weight[((o * 3 + c) * 3 + i) * 3 + j]);
                }
            }
        }
    }
    sum
}

#[test]
fn zero_offsets_and_a_unit_mask_give_an_ordinary_convolution() {
    for algorithm in algorithms() {
        let sizes = Sizes { in_channels: 6, out_channels: 4, groups: 2, input: [11, 9], ..PLAIN };
        let options = Options { algorithm, stride: [2, 1], padding: [1, 2], dilation: [1, 2], ..Options::default() };
        let mut case = Case::new("convolution", sizes, options).with_offsets(|_, _| 0.0);
        case.operands.mask.as_mut().unwrap().fill(1.0);
        let [_, channels, height, width] = case.geometry().output_shape();
        let mut want = Vec::new();
        for o in 0..channels {
            for oy in 0..height {
                for ox in 0..width {
                    want.push(convolved(&case, [o, oy, ox]));
                }
            }
        }
        let (_, bounds) = case.expected();
        compare(&run(&case), &want, &bounds).unwrap();
    }
}

#[test]
fn whole_offsets_with_an_identity_kernel_shift_the_image() {
    for algorithm in algorithms() {
        let sizes =
            Sizes { batch: 2, in_channels: 3, out_channels: 3, kernel: [1, 1], bias: false, mask: false, ..PLAIN };
        for (down, right) in [(0, 0), (1, 0), (0, 1), (-2, 3), (6, -5), (7, 0), (-7, 0), (0, 6), (0, -6)] {
            let case = Case::new("shift", sizes, Options { algorithm, ..Options::default() });
            let mut case = case.with_offsets(|at, _| [down, right][at.axis] as f32);
            case.operands.weight = vec![1., 0., 0., 0., 1., 0., 0., 0., 1.];
            let mut shifted = Vec::new();
            for plane in case.operands.input.chunks(7 * 6) {
                for (y, x) in (down..7 + down).flat_map(|y| (right..6 + right).map(move |x| (y, x))) {
                    let inside = (0..7).contains(&y) && (0..6).contains(&x);
                    shifted.push(if inside { plane[usize::try_from(y * 6 + x).unwrap()] } else { 0.0 });
                }
            }
            assert_eq!(run(&case), shifted, "by {down}, {right}");
        }
    }
}

#[test]
fn a_mask_of_0_leaves_only_the_bias() {
    for algorithm in algorithms() {
        let mut case = Case::new("mask 0", Sizes { batch: 2, ..PLAIN }, Options { algorithm, ..padded() });
        case.operands.mask.as_mut().unwrap().fill(0.0);
        let bias = case.operands.bias.clone().unwrap();
        let expected: Vec<f32> = (0..2 * 4 * 42).map(|at| bias[at / 42 % 4]).collect();
        assert_eq!(run(&case), expected);
    }
}

#[test]
fn taps_outside_the_image_leave_only_the_bias() {
    for algorithm in algorithms() {
        for offset in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 100.0, -100.0] {
            let case = Case::new("nowhere", PLAIN, Options { algorithm, ..padded() }).with_offsets(|_, _| offset);
            let bias = case.operands.bias.clone().unwrap();
            let expected: Vec<f32> = (0..4 * 42).map(|at| bias[at / 42]).collect();
            assert_eq!(run(&case), expected, "offset {offset}");
        }
    }
}

#[test]
fn a_nan_pixel_reaches_only_the_taps_that_read_it() {
    for algorithm in algorithms() {
        // The first and the last pixel, which a tap outside the image would read if its index were clamped.
        let sizes = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], bias: false, mask: false, ..PLAIN };
        for (pixel, offset) in [(0, -100.0), (41, 100.0), (0, f32::NAN), (41, f32::NAN)] {
            let mut case =
                Case::new("NaN pixel", sizes, Options { algorithm, ..Options::default() }).with_offsets(|_, _| offset);
            case.operands.input[pixel] = f32::NAN;
            assert!(run(&case).iter().all(|&value| value == 0.0), "offset {offset}");
        }
        // Pixel (3, 2) reaches its own output and those above and to the left, which read it as a corner of weight 0:
        // 0·NaN is NaN, as in torchvision. With offsets of −1, pixel (0, 0) reaches only output (1, 1): those above and
        // to the left sample at exactly −1, which is outside.
        for (pixel, offset, touched) in [(20, 0.0, &[13, 14, 19, 20][..]), (0, -1.0, &[7])] {
            let mut case =
                Case::new("NaN pixel", sizes, Options { algorithm, ..Options::default() }).with_offsets(|_, _| offset);
            case.operands.input[pixel] = f32::NAN;
            let output = run(&case);
            let found: Vec<_> = (0..output.len()).filter(|&at| output[at].is_nan()).collect();
            assert_eq!(found, touched, "pixel {pixel}, offset {offset}");
        }
    }
}

/// Returns cases with two weight groups of 1, 2, 3 or 4 input channels each. Kernels take four channels at a time, and
/// must not fill up the last of them with a neighbour's NaN.
fn two_groups(algorithm: Algorithm) -> [Case; 4] {
    [1, 2, 3, 4].map(|channels| {
        let sizes = Sizes { in_channels: 2 * channels, groups: 2, ..PLAIN };
        Case::new(&format!("2 groups of {channels}"), sizes, Options { algorithm, ..padded() })
    })
}

#[test]
fn a_nan_weight_reaches_only_its_output_channel() {
    for case in algorithms().into_iter().flat_map(two_groups) {
        let clean = run(&case);
        let row = case.operands.weight.len() / 4;
        for channel in 0..4 {
            let mut case = case.clone();
            case.operands.weight[channel * row..(channel + 1) * row].fill(f32::NAN);
            for (at, (value, clean)) in run(&case).iter().zip(&clean).enumerate() {
                assert_eq!(value.is_nan(), at / 42 == channel, "{} element {at}", case.name);
                assert!(value.is_nan() || value == clean, "{} element {at}", case.name);
            }
        }
    }
}

#[test]
fn nan_input_channels_reach_only_their_weight_group() {
    for case in algorithms().into_iter().flat_map(two_groups) {
        // The second group's columns and channels follow directly on the first one's.
        let mut case = case.with_offsets(|_, _| 0.0);
        let clean = run(&case);
        let half = case.operands.input.len() / 2;
        case.operands.input[half..].fill(f32::NAN);
        let output = run(&case);
        assert!(output[..2 * 42] == clean[..2 * 42], "{} {:?}", case.name, case.options.algorithm);
        assert!(output[2 * 42..].iter().all(|value| value.is_nan()), "{}", case.name);
    }
}

#[test]
fn an_infinite_pixel_at_the_border_stays_infinite() {
    for algorithm in algorithms() {
        // A pixel outside the image must count as 0. A border pixel times 0 would be NaN here.
        let sizes =
            Sizes { in_channels: 1, out_channels: 1, input: [2, 2], kernel: [1, 1], bias: false, mask: false, ..PLAIN };
        let infinity = f32::INFINITY;
        let case = |down: f32| {
            let mut case = Case::new("infinite pixel", sizes, Options { algorithm, ..Options::default() })
                .with_offsets(move |at, _| if at.axis == 0 { down } else { 0.0 });
            case.operands.input = vec![1.0, 2.0, infinity, 3.0];
            case.operands.weight = vec![1.0];
            run(&case)
        };
        // Pixel (0, 0) has the infinite one as a corner of weight 0, and 0·∞ is NaN in torchvision too.
        let still = case(0.0);
        assert!(still[0].is_nan());
        assert_eq!(still[1..], [2.0, infinity, 3.0]);
        assert_eq!(case(0.5), [infinity, 2.5, infinity, 1.5]);
        let up = case(-0.5);
        assert_eq!(up, [0.5, 1.0, infinity, 2.5]);
    }
}

#[test]
fn doubling_any_factor_doubles_the_output() {
    for algorithm in algorithms() {
        let case = Case::new("linear", Sizes { bias: false, ..PLAIN }, Options { algorithm, ..padded() });
        let doubled: Vec<_> = run(&case).iter().map(|value| 2.0 * value).collect();
        let double = |values: &mut Vec<f32>| values.iter_mut().for_each(|value| *value *= 2.0);
        let [mut input, mut weight, mut mask] = [case.clone(), case.clone(), case.clone()];
        double(&mut input.operands.input);
        double(&mut weight.operands.weight);
        double(mask.operands.mask.as_mut().unwrap());
        for case in [input, weight, mask] {
            assert_eq!(bits(&run(&case)), bits(&doubled));
        }
    }
}

#[test]
fn the_output_is_adjoint_to_the_references_gradients() {
    for algorithm in algorithms() {
        // Small whole numbers, and offsets that are multiples of 1/2: every product and sum is exact in f32, so both
        // sides are equal.
        let sizes =
            Sizes { batch: 2, in_channels: 6, out_channels: 4, groups: 2, offset_groups: 3, bias: false, ..PLAIN };
        let mut case = Case::new("adjoint", sizes, Options { algorithm, ..padded() })
            .with_offsets(|_, value| (2.0 * value).round() / 2.0);
        let whole = |values: &mut Vec<f32>| values.iter_mut().for_each(|value| *value = (*value * 4.0).round());
        whole(&mut case.operands.input);
        whole(&mut case.operands.weight);
        whole(case.operands.mask.as_mut().unwrap());
        let geometry = case.geometry();
        let output = run(&case);
        let grad_output: Vec<f32> = (0..output.len()).map(|n| (n * 5 % 7) as f32 - 3.0).collect();
        let gradients = Reference::new(&geometry, case.slices()).unwrap().backward(&grad_output).unwrap();
        let dot = |a: &[f64], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
        let output: Vec<_> = output.iter().map(|&value| f64::from(value)).collect();
        let product = dot(&output, &grad_output);
        assert!(product != 0.0);
        assert_eq!(product, dot(gradients.input.as_ref().unwrap(), &case.operands.input));
        assert_eq!(product, dot(gradients.weight.as_ref().unwrap(), &case.operands.weight));
        assert_eq!(product, dot(gradients.mask.as_ref().unwrap(), case.operands.mask.as_ref().unwrap()));
    }
}

#[test]
fn the_bits_are_the_same_from_run_to_run() {
    for algorithm in algorithms() {
        let sizes = Sizes { batch: 2, in_channels: 20, input: [40, 40], ..PLAIN };
        let case = Case::new("bits", sizes, Options { algorithm, ..padded() });
        let once = bits(&run(&case));
        assert_eq!(bits(&run(&case)), once, "{algorithm:?}");
    }
}

#[test]
fn the_bits_are_the_same_however_images_and_pixels_are_cut() {
    let options = Options { algorithm: Algorithm::Columns, ..padded() };
    let case = Case::new("bits", Sizes { batch: 2, in_channels: 20, input: [40, 40], ..PLAIN }, options);
    let once = bits(&run(&case));
    for pixels in [1600, 1280, 1024] {
        let mut cut = case.clone();
        cut.options.workspace_limit = 20 * 9 * pixels * 4;
        assert_eq!(bits(&run(&cut)), once, "{pixels} pixels at a time");
    }
}
