//! Properties that the gradients have independently of the reference, and the errors for targets that do not fit.

use deform::ops::deform_conv2d::{Algorithm, BorderGradient, Gradient, Operand};
use deform::plan::Size;
use deform::{DeformConv2d, Dtype, Error, Gpu, Gradients, Options, Tensor, wgpu};

use crate::backward::{all, check_gradients, least_workspace, modes, poisoned, record, run_backward, ways};
use crate::device::{callers_gpu, gpu, operator, poison, run, upload, upload_to};
use crate::errors::part_of;
use crate::support::case::{Case, PLAIN, Sizes, padded};

/// Returns ⟨a, b⟩ and the sum of its terms' absolute values.
fn dot(a: &[f32], b: &[f32]) -> (f64, f64) {
    let terms = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    terms.fold((0.0, 0.0), |(sum, magnitude), term| (sum + term, magnitude + term.abs()))
}

/// The output is linear in weight and bias together, and without the bias in the input, the mask and the weight. For
/// each, `⟨g, A x⟩ = ⟨Aᵀ g, x⟩`.
#[test]
fn gradients_are_the_adjoint_of_the_forward_pass() {
    let sizes = Sizes { batch: 2, in_channels: 24, out_channels: 20, groups: 2, offset_groups: 3, ..PLAIN };
    for algorithm in ways() {
        for (reach, input) in [(0.0, [9, 8]), (3.0, [20, 19]), (15.0, [12, 30])] {
            let case = Case::new(
                "adjoint",
                Sizes { reach: f32::max(reach, 1e-3), input, ..sizes },
                Options { algorithm, ..padded() },
            );
            let g = case.grad_output();
            let grads = run_backward(&case, &g, all(&case));
            let output = run(&case);
            let mut unbiased = case.clone();
            unbiased.operands.bias.as_mut().unwrap().fill(0.0);
            let (with_bias, magnitude) = dot(&g, &output);
            let (without, _) = dot(&g, &run(&unbiased));
            let of = |grad: &Option<Vec<f32>>, operand: &[f32]| dot(grad.as_ref().unwrap(), operand).0;
            let operands = &case.operands;
            let bias = of(&grads.bias, operands.bias.as_ref().unwrap());
            for (name, got, want) in [
                ("input", of(&grads.input, &operands.input), without),
                ("mask", of(&grads.mask, operands.mask.as_ref().unwrap()), without),
                ("weight", of(&grads.weight, &operands.weight), without),
                ("bias", of(&grads.weight, &operands.weight) + bias, with_bias),
            ] {
                // Each term of either side has some rounding errors of its own, which add up like a random walk.
                let bound = magnitude * 108f64.sqrt() * 10.0 * 2f64.powi(-24);
                assert!((got - want).abs() <= bound, "{name}: {got}, expected {want} ± {bound:e}");
            }
        }
    }
}

fn bits(gradients: &Gradients<Option<Vec<f32>>>) -> Gradients<Option<Vec<u32>>> {
    gradients.map(|gradient| gradient.as_ref().map(|values| values.iter().map(|value| value.to_bits()).collect()))
}

/// Checks that a second call gives the same bits, and that a call for any subset of the gradients does.
pub fn check_subsets(case: &Case) {
    let grad_output = case.grad_output();
    let whole = bits(&run_backward(case, &grad_output, Gradients::ALL));
    assert_eq!(bits(&run_backward(case, &grad_output, Gradients::ALL)), whole);
    for subset in 0..32 {
        let wanted = Gradients::from_fn(|operand| (subset >> operand as u32) & 1 == 1);
        let got = bits(&run_backward(case, &grad_output, wanted));
        for (operand, got) in got.iter() {
            assert_eq!(got.as_ref(), whole[operand].as_ref().filter(|_| wanted[operand]), "{operand} of {wanted:?}");
        }
    }
}

#[test]
fn repeated_calls_and_calls_for_subsets_give_the_same_bits() {
    let sizes =
        Sizes { batch: 2, in_channels: 40, out_channels: 12, groups: 4, offset_groups: 2, input: [17, 23], ..PLAIN };
    for algorithm in ways() {
        check_subsets(&Case::new("bits", sizes, Options { algorithm, ..padded() }));
    }
}

/// Checks gradients that are added to the contents of their targets.
pub fn check_added(case: &Case) {
    let grad_output = case.grad_output();
    let elements = |operand| case.shapes.get(operand).unwrap().iter().product();
    let before = |operand| (0..elements(operand)).map(|n: usize| (n % 17) as f32 - 8.0);
    let gradients = poisoned(case, all(case));
    for (operand, gradient) in gradients.iter() {
        gradient.as_ref().unwrap().write(&before(operand).collect::<Vec<_>>()).unwrap();
    }
    record(case, &grad_output, &gradients.map(|gradient| gradient.as_ref().map(Gradient::Add)));
    let added = Gradients::from_fn(|operand| {
        let got = gradients[operand].as_ref().unwrap().download::<f32>().unwrap();
        got.iter().zip(before(operand)).map(|(got, before)| got - before).collect::<Vec<_>>()
    });
    // The contents were whole numbers up to 8, and their sum with the gradient is rounded at each addition.
    let alone = run_backward(case, &grad_output, all(case));
    for (operand, added) in added.iter() {
        for (added, alone) in added.iter().zip(alone[operand].as_ref().unwrap()) {
            assert!((added - alone).abs() < 1e-4 * (1.0 + alone.abs()), "{operand}: {added}, expected {alone}");
        }
    }
}

#[test]
fn gradients_are_added_to_the_contents_if_asked() {
    let sizes = Sizes { in_channels: 12, out_channels: 8, groups: 2, offset_groups: 3, input: [9, 11], ..PLAIN };
    for algorithm in ways() {
        let mut case = Case::new("added", sizes, Options { algorithm, ..padded() });
        check_added(&case);
        // The least workspace cuts channels and pixels into parts, each of which must add.
        case.options.workspace_limit = least_workspace(&case);
        check_added(&case);
    }
}

#[test]
fn gradients_meet_the_reference_if_all_taps_land_on_one_pixel() {
    let sizes = Sizes { in_channels: 12, out_channels: 5, offset_groups: 2, input: [40, 37], ..PLAIN };
    for algorithm in ways() {
        let case = Case::new("contended", sizes, Options { algorithm, ..padded() });
        let case = case.with_offsets(|at, _| {
            let whole = [at.y, at.x][at.axis] + at.tap[at.axis];
            20.25 - (whole as f32 - 1.0)
        });
        check_gradients(&case);
    }
}

#[test]
fn the_derivative_at_minus_one_is_torchvisions_or_mmcvs() {
    for border_gradient in [BorderGradient::Torchvision, BorderGradient::Mmcv] {
        for algorithm in ways() {
            // With zero offsets and padding 1, taps of the first row and column lie at exactly −1.
            let options = Options { algorithm, border_gradient, ..padded() };
            let case = Case::new("border", PLAIN, options).with_offsets(|_, _| 0.0);
            check_gradients(&case);
            let grads = run_backward(&case, &case.grad_output(), all(&case));
            // The first tap of the second pixel: y is −1 there, x is 0.
            let first_tap_y = grads.offset.unwrap()[1];
            assert_eq!(first_tap_y == 0.0, border_gradient == BorderGradient::Mmcv);
        }
    }
}

#[test]
fn nan_infinite_and_huge_offsets_have_gradients_of_zero() {
    for algorithm in ways() {
        for offset in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
            let case = Case::new("nowhere", PLAIN, Options { algorithm, ..padded() });
            // Every third plane of offsets, so that y alone and x alone have them as well.
            let pixels = 7 * 6;
            let is_replaced = |plane: usize| plane.is_multiple_of(3);
            let case = case.with_offsets(|at, value| if is_replaced(at.plane) { offset } else { value });
            check_gradients(&case);
            let grads = run_backward(&case, &case.grad_output(), all(&case));
            for (n, gradient) in grads.offset.unwrap().into_iter().enumerate() {
                let tap = n / pixels / 2;
                if is_replaced(2 * tap) || is_replaced(2 * tap + 1) {
                    assert_eq!(gradient, 0.0, "{offset}");
                }
            }
        }
    }
}

/// Tests a tap at exactly −1 beside an infinite pixel.
#[test]
fn a_tap_whose_sample_is_zero_adds_nothing_to_the_gradients_of_weight_and_input() {
    let mut layers = vec![(Algorithm::Depthwise, 4, 4)];
    for algorithm in ways() {
        layers.extend([(algorithm, 1, 4), (algorithm, 1, 100)]);
    }
    for (algorithm, groups, out_channels) in layers {
        let sizes = Sizes { kernel: [1, 1], groups, out_channels, ..PLAIN };
        let case = Case::new("samples of zero", sizes, Options { algorithm, ..Options::default() });
        // The first pixel's tap lies a row above it. All others lie on their pixels.
        let clean = case.with_offsets(|at, _| if at.index == 0 { -1.0 } else { 0.0 });
        let mut case = clean.clone();
        // The first pixel of each channel.
        case.operands.input.iter_mut().step_by(7 * 6).for_each(|first| *first = f32::INFINITY);
        let wanted = Gradients { weight: true, input: true, ..Gradients::default() };
        let [got, want] = [&case, &clean].map(|case| run_backward(case, &case.grad_output(), wanted));
        assert_eq!(got.weight, want.weight, "{algorithm:?}");
        assert_eq!(got.input, want.input, "{algorithm:?}");
    }
}

#[test]
fn an_empty_batch_has_gradients_of_zero() {
    for algorithm in ways() {
        let case = Case::new("empty", Sizes { batch: 0, ..PLAIN }, Options { algorithm, ..padded() });
        let grads = run_backward(&case, &[], all(&case));
        assert_eq!(grads.weight.unwrap(), vec![0.0; 4 * 4 * 9]);
        assert_eq!(grads.bias.unwrap(), vec![0.0; 4]);
    }
}

/// Returns the error of `record_backward` after a change of its targets.
fn refused(change: impl FnOnce(&mut Gradients<Option<Tensor>>), mask: bool) -> Error {
    let case = Case::new("refused", Sizes { mask, ..PLAIN }, padded());
    let inputs = upload(&case);
    let grad_output = Tensor::upload(gpu(), case.geometry().output_shape(), &case.grad_output()).unwrap();
    let mut gradients = poisoned(&case, all(&case));
    change(&mut gradients);
    let targets = gradients.map(|gradient| gradient.as_ref().map(Gradient::Write));
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let inputs = inputs.as_ref();
    operator().record_backward(&mut encoder, &inputs, &grad_output, &targets, case.options).unwrap_err()
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let without = refused(|gradients| gradients.mask = Some(poison(&[1, 9, 7, 6])), false);
    assert_eq!(without, Error::NoSuchOperand { operand: "mask" });
    let shape = refused(|gradients| gradients.weight = Some(poison(&[4, 4, 3, 2])), true);
    assert!(matches!(shape, Error::Axis { operand: "grad_weight", axis: 3, expected: 3, got: 2, .. }), "{shape}");
    let half = refused(|gradients| gradients.bias = Some(Tensor::new(gpu(), [4], Dtype::F16).unwrap()), true);
    assert!(matches!(half, Error::Dtype { operand: "grad_bias", .. }), "{half}");
    let share = |gradients: &mut Gradients<Option<Tensor>>| {
        gradients.bias = gradients.weight.as_ref().map(|weight| part_of(weight, &[4]));
    };
    let aliased = refused(share, true);
    assert!(matches!(aliased, Error::Aliased { .. }), "{aliased}");
}

/// Makes a device whose bindings are so small, and whose workgroups per axis are so few, that windows must be cut and
/// grids folded.
pub fn small_limits_gpu() -> Gpu {
    callers_gpu(wgpu::Limits {
        max_storage_buffer_binding_size: 128 << 10,
        max_compute_workgroups_per_dimension: 100,
        ..wgpu::Limits::default()
    })
}

/// Compares the gradients on such a device with the reference, and checks that no bound window exceeds `largest` bytes.
/// Returns whether a grid is folded.
pub fn check_with_small_limits(gpu: &Gpu, largest: u64, case: &Case) -> bool {
    let op = DeformConv2d::new(gpu);
    let inputs = upload_to(gpu, case);
    let inputs = inputs.as_ref();
    let grad = case.grad_output();
    let grad_output = Tensor::upload(gpu, case.geometry().output_shape(), &grad).unwrap();
    let prepared = op.prepare_backward(&case.shape_slices(), Dtype::F32, modes(&all(case)), case.options).unwrap();
    let plan = prepared.plan();
    let bound = plan.steps.iter().flat_map(|step| &step.windows);
    let is_texture = |name| plan.scratch.iter().any(|s| s.name == name && matches!(s.size, Size::Texels(_)));
    let buffers = bound.filter(|window| !is_texture(window.operand));
    assert!(buffers.into_iter().all(|window| window.bytes <= largest), "{plan}");
    let gradients = op.backward(&inputs, &grad_output, Gradients::ALL, case.options).unwrap();
    let got = gradients.map(|tensor| tensor.as_ref().map(|tensor| tensor.download::<f32>().unwrap()));
    case.expected_gradients(&grad).compare(&got).unwrap();
    plan.steps.iter().any(|step| step.workgroups[1] > 1)
}

#[test]
fn gradients_meet_the_reference_on_a_device_with_small_limits() {
    let gpu = small_limits_gpu();
    // In the first case an image's output fits a binding. In the others it is cut, into packs of one group and into
    // groups.
    for (kernel, groups, out_channels) in [(3, 1, 16), (1, 1, 50), (1, 4, 48)] {
        let sizes =
            Sizes { batch: 2, in_channels: 40, out_channels, groups, offset_groups: 5, input: [36, 35], ..PLAIN };
        let sizes = Sizes { kernel: [kernel; 2], ..sizes };
        let folded = check_with_small_limits(&gpu, 128 << 10, &Case::new("small limits", sizes, padded()));
        assert!(kernel == 1 || folded);
    }
}

/// The two passes share their scratch.
#[test]
fn gradients_accumulate_over_two_recordings_in_one_submission() {
    let case = Case::new("twice", Sizes { batch: 2, in_channels: 12, offset_groups: 2, ..PLAIN }, padded());
    let inputs = upload(&case);
    let inputs = inputs.as_ref();
    let grad = case.grad_output();
    let grad_output = Tensor::upload(gpu(), case.geometry().output_shape(), &grad).unwrap();
    let target = poison(&case.shapes.weight);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    for target in [Gradient::Write(&target), Gradient::Add(&target)] {
        let targets = Gradients { weight: Some(target), ..Gradients::default() };
        operator().record_backward(&mut encoder, &inputs, &grad_output, &targets, case.options).unwrap();
    }
    gpu().queue().submit([encoder.finish()]);
    let half: Vec<f32> = target.download::<f32>().unwrap().into_iter().map(|value| value / 2.0).collect();
    let got = Gradients { weight: Some(half), ..Gradients::default() };
    case.expected_gradients(&grad).compare(&got).unwrap();
}

/// Kernels take four channels and 32 pixels at a time, and must not fill up the last of them with a neighbour's NaN.
#[test]
fn a_nan_in_grad_output_reaches_only_the_gradients_that_use_it() {
    let sizes = [(1, 2), (2, 2), (3, 2), (4, 2), (2, 1), (2, 3)];
    for (algorithm, (channels, rows)) in ways().into_iter().flat_map(|way| sizes.map(|sizes| (way, sizes))) {
        // Two weight groups of `rows` output channels with 42 pixels each: a channel follows directly on the last pixel
        // of the one before, also if that belongs to the other group.
        let out_channels = 2 * rows;
        let sizes = Sizes { in_channels: 2 * channels, out_channels, groups: 2, offset_groups: 2, ..PLAIN };
        let case = Case::new("NaN", sizes, Options { algorithm, ..padded() });
        for channel in 0..out_channels {
            let mut grad_output = case.grad_output();
            grad_output[channel * 42..(channel + 1) * 42].fill(f32::NAN);
            let got = run_backward(&case, &grad_output, all(&case));
            for (operand, values) in got.iter() {
                let values = values.as_ref().unwrap();
                let (parts, touched) = match operand {
                    Operand::Bias | Operand::Weight => (out_channels, channel),
                    Operand::Input | Operand::Offset | Operand::Mask => (2, channel / rows),
                };
                let part = values.len() / parts;
                for (n, value) in values.iter().enumerate() {
                    // In the touched part some elements may be finite: a tap outside the image has a gradient of 0.
                    let allowed = n / part == touched;
                    assert!(allowed || value.is_finite(), "{operand} {n} of {channels} channels, NaN in {channel}");
                }
                assert!(values.iter().any(|value| value.is_nan()), "{operand}");
            }
        }
    }
}

/// A sample at exactly −1 is 0, whatever the pixel beside it holds.
#[test]
fn a_nan_pixel_does_not_reach_the_weight_from_outside() {
    for algorithm in ways() {
        let sizes = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], mask: false, ..PLAIN };
        let mut case = Case::new("NaN pixel", sizes, Options { algorithm, ..Options::default() });
        // Every tap lies at y = −1, above the row of NaN.
        case = case.with_offsets(|at, _| if at.axis == 0 { -1.0 - at.y as f32 } else { 0.0 });
        case.operands.input[..6].fill(f32::NAN);
        let got = run_backward(&case, &case.grad_output(), Gradients { weight: true, ..Gradients::default() });
        assert_eq!(got.weight.unwrap(), [0.0]);
    }
}
