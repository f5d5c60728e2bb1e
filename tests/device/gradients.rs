//! What must hold of the gradients whatever the reference says, and what is said to targets that do not fit.

use deform::plan::Size;
use deform::{Algorithm, BorderGradient, DeformConv2d, Dtype, Error, Gpu, Gradient, Gradients, Options, Tensor, wgpu};

use crate::backward::{all, check_gradients, least_workspace, modes, plan_of, poisoned, record, run_backward, ways};
use crate::device::{callers_gpu, gpu, operator, poison, run, upload, upload_to};
use crate::errors::part_of;
use crate::support::case::{Case, PLAIN, Sizes, padded};

/// ⟨a, b⟩, and the sum of the terms' absolute values.
fn dot(a: &[f32], b: &[f32]) -> (f64, f64) {
    let terms = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    terms.fold((0.0, 0.0), |(sum, magnitude), term| (sum + term, magnitude + term.abs()))
}

/// The output is linear in the input, in weight and bias together, and without the bias in the mask: `⟨g, A x⟩ = ⟨Aᵀ g, x⟩`.
#[test]
fn gradients_are_the_adjoints_of_what_the_forward_pass_computes() {
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
                // Every term of either side is off by at most some roundings of its own; they add up like a random walk at worst.
                let bound = magnitude * 108f64.sqrt() * 10.0 * 2f64.powi(-24);
                assert!((got - want).abs() <= bound, "{name}: {got}, expected {want} ± {bound:e}");
            }
        }
    }
}

fn bits(gradients: &Gradients<Option<Vec<f32>>>) -> Gradients<Option<Vec<u32>>> {
    gradients.map(|gradient| gradient.as_ref().map(|values| values.iter().map(|value| value.to_bits()).collect()))
}

/// The gradients twice, and every subset of them.
pub fn check_subsets(case: &Case) {
    let grad_output = case.grad_output();
    let whole = bits(&run_backward(case, &grad_output, Gradients::ALL));
    assert_eq!(bits(&run_backward(case, &grad_output, Gradients::ALL)), whole);
    for subset in 0..32 {
        let mut bit = 0..5;
        let wanted = Gradients::ALL.map(|_| subset >> bit.next().unwrap() & 1 == 1);
        let got = bits(&run_backward(case, &grad_output, wanted));
        for (operand, got) in got.iter() {
            assert_eq!(got.as_ref(), whole[operand].as_ref().filter(|_| wanted[operand]), "{operand} of {wanted:?}");
        }
    }
}

#[test]
fn the_same_call_gives_the_same_bits_and_what_is_not_asked_for_changes_none() {
    let sizes =
        Sizes { batch: 2, in_channels: 40, out_channels: 12, groups: 4, offset_groups: 2, input: [17, 23], ..PLAIN };
    for algorithm in ways() {
        check_subsets(&Case::new("bits", sizes, Options { algorithm, ..padded() }));
    }
}

/// Gradients added to what is there.
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
    // What was there is a whole number up to 8, whose sum with the gradient is rounded once more at each addition.
    let alone = run_backward(case, &grad_output, all(case));
    for (operand, added) in added.iter() {
        for (added, alone) in added.iter().zip(alone[operand].as_ref().unwrap()) {
            assert!((added - alone).abs() < 1e-4 * (1.0 + alone.abs()), "{operand}: {added}, expected {alone}");
        }
    }
}

#[test]
fn gradients_are_added_to_what_is_there_where_asked() {
    let sizes = Sizes { in_channels: 12, out_channels: 8, groups: 2, offset_groups: 3, input: [9, 11], ..PLAIN };
    for algorithm in ways() {
        let mut case = Case::new("added", sizes, Options { algorithm, ..padded() });
        check_added(&case);
        // Channels and pixels in parts: only the first of them may write.
        case.options.workspace_limit = least_workspace(&case);
        check_added(&case);
    }
}

#[test]
fn all_taps_on_one_pixel() {
    let sizes = Sizes { in_channels: 12, out_channels: 5, offset_groups: 2, input: [40, 37], ..PLAIN };
    for algorithm in ways() {
        let case = Case::new("contended", sizes, Options { algorithm, ..padded() });
        let (pixels, width) = (40 * 37, 37);
        let case = case.with_offsets(|n, _| {
            let (channel, pixel) = (n / pixels, n % pixels);
            let (axis, tap) = (channel % 2, channel / 2 % 9);
            let whole = if axis == 0 { pixel / width + tap / 3 } else { pixel % width + tap % 3 };
            20.25 - (whole as f32 - 1.0)
        });
        check_gradients(&case);
    }
}

#[test]
fn the_derivative_at_minus_one_is_torchvisions_or_mmcvs() {
    for border_gradient in [BorderGradient::Torchvision, BorderGradient::Mmcv] {
        for algorithm in ways() {
            // Zero offsets with padding 1: the taps of the first row and column lie at exactly −1.
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
fn offsets_that_are_no_numbers_have_gradients_of_zero() {
    for algorithm in ways() {
        for offset in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
            let case = Case::new("nowhere", PLAIN, Options { algorithm, ..padded() });
            // Every other offset, so that one axis alone is no number as well.
            let case = case.with_offsets(|n, value| if n / 42 % 3 == 0 { offset } else { value });
            check_gradients(&case);
            let grads = run_backward(&case, &case.grad_output(), all(&case));
            let nowhere = |n: &usize| (n / 84 * 2..n / 84 * 2 + 2).any(|channel| channel % 3 == 0);
            let grad_offset = grads.offset.unwrap();
            assert!((0..grad_offset.len()).filter(nowhere).all(|n| grad_offset[n] == 0.0), "{offset}");
        }
    }
}

/// At exactly −1 beside an infinite pixel, and far outside under a mask that is no number.
#[test]
fn a_tap_whose_sample_is_zero_adds_nothing_to_the_gradients_of_weight_and_input() {
    for algorithm in ways().into_iter().chain([Algorithm::Depthwise]) {
        for out_channels in [4, 100] {
            let groups = if algorithm == Algorithm::Depthwise { 4 } else { 1 };
            let out_channels = if groups > 1 { 4 } else { out_channels };
            let sizes = Sizes { kernel: [1, 1], groups, out_channels, ..PLAIN };
            let case = Case::new("nothing", sizes, Options { algorithm, ..Options::default() });
            // The first pixel's tap lies a row above it, the second's nowhere; all others lie where they are.
            let clean = case.with_offsets(|n, _| {
                if n == 0 {
                    -1.0
                } else if n == 1 {
                    1e4
                } else {
                    0.0
                }
            });
            let mut case = clean.clone();
            case.operands.input.iter_mut().step_by(42).for_each(|first| *first = f32::INFINITY);
            case.operands.mask.as_mut().unwrap()[1] = f32::NAN;
            let wanted = Gradients { weight: true, input: true, ..Gradients::default() };
            let [got, want] = [&case, &clean].map(|case| run_backward(case, &case.grad_output(), wanted));
            assert_eq!(got.weight, want.weight, "{algorithm:?}");
            assert_eq!(got.input, want.input, "{algorithm:?}");
        }
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

/// What `record_backward` says to targets and a workspace changed in one way.
fn refused(change: impl FnOnce(&mut Gradients<Option<Tensor>>, &mut Tensor), mask: bool) -> Error {
    let case = Case::new("refused", Sizes { mask, ..PLAIN }, padded());
    let inputs = upload(&case);
    let grad_output = Tensor::upload(gpu(), case.geometry().output_shape(), &case.grad_output()).unwrap();
    let mut gradients = poisoned(&case, all(&case));
    let mut workspace = poison(&[plan_of(&case).workspace_bytes as usize / 4]);
    change(&mut gradients, &mut workspace);
    let targets = gradients.map(|gradient| gradient.as_ref().map(Gradient::Write));
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let inputs = inputs.map(|tensor| tensor);
    operator().record_backward(&mut encoder, &inputs, &grad_output, &targets, &workspace, case.options).unwrap_err()
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let without = refused(|gradients, _| gradients.mask = Some(poison(&[1, 9, 7, 6])), false);
    assert_eq!(without, Error::NoSuchOperand { operand: "mask" });
    let shape = refused(|gradients, _| gradients.weight = Some(poison(&[4, 4, 3, 2])), true);
    assert!(matches!(shape, Error::Axis { operand: "grad_weight", axis: 3, expected: 3, got: 2, .. }), "{shape}");
    let half = refused(|gradients, _| gradients.bias = Some(Tensor::new(gpu(), [4], Dtype::F16).unwrap()), true);
    assert!(matches!(half, Error::Dtype { operand: "grad_bias", .. }), "{half}");
    let small = refused(|_, workspace| *workspace = poison(&[1]), true);
    assert!(matches!(small, Error::WorkspaceTooSmall { .. }), "{small}");
    let aliased = refused(|gradients, workspace| gradients.bias = Some(part_of(workspace, &[4])), true);
    assert!(matches!(aliased, Error::Aliased { .. }), "{aliased}");
}

/// A device that binds so little and dispatches so few workgroups that windows and grids must be cut and folded.
pub fn small_limits_gpu() -> Gpu {
    callers_gpu(wgpu::Limits {
        max_storage_buffer_binding_size: 128 << 10,
        max_compute_workgroups_per_dimension: 100,
        ..wgpu::Limits::default()
    })
}

/// Holds the gradients on such a device against the reference, and what is bound against its largest binding. Whether a grid is folded.
pub fn check_with_small_limits(gpu: &Gpu, largest: u64, case: &Case) -> bool {
    let op = DeformConv2d::new(gpu);
    let inputs = upload_to(gpu, case);
    let inputs = inputs.map(|tensor| tensor);
    let grad = case.grad_output();
    let grad_output = Tensor::upload(gpu, case.geometry().output_shape(), &grad).unwrap();
    let plan = op.prepare_backward(&case.shape_slices(), Dtype::F32, modes(&all(case)), case.options).unwrap();
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
fn gradients_on_a_callers_device_with_small_limits() {
    let gpu = small_limits_gpu();
    // An image's output fits a binding; is cut into packs of one group; into groups.
    for (kernel, groups, out_channels) in [(3, 1, 16), (1, 1, 50), (1, 4, 48)] {
        let sizes =
            Sizes { batch: 2, in_channels: 40, out_channels, groups, offset_groups: 5, input: [36, 35], ..PLAIN };
        let sizes = Sizes { kernel: [kernel; 2], ..sizes };
        let folded = check_with_small_limits(&gpu, 128 << 10, &Case::new("small limits", sizes, padded()));
        assert!(kernel == 1 || folded);
    }
}

/// Two passes recorded into one encoder share workspace and scratch.
#[test]
fn gradients_accumulate_over_two_recordings_in_one_submission() {
    let case = Case::new("twice", Sizes { batch: 2, in_channels: 12, offset_groups: 2, ..PLAIN }, padded());
    let inputs = upload(&case);
    let inputs = inputs.map(|tensor| tensor);
    let grad = case.grad_output();
    let grad_output = Tensor::upload(gpu(), case.geometry().output_shape(), &grad).unwrap();
    let target = poison(&case.shapes.weight);
    let workspace = poison(&[1 << 16]);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    for target in [Gradient::Write(&target), Gradient::Add(&target)] {
        let targets = Gradients { weight: Some(target), ..Gradients::default() };
        operator().record_backward(&mut encoder, &inputs, &grad_output, &targets, &workspace, case.options).unwrap();
    }
    gpu().queue().submit([encoder.finish()]);
    let half: Vec<f32> = target.download::<f32>().unwrap().into_iter().map(|value| value / 2.0).collect();
    let got = Gradients { weight: Some(half), ..Gradients::default() };
    case.expected_gradients(&grad).compare(&got).unwrap();
}

/// Whatever a kernel takes four at a time, or 32, is filled up, and not with a neighbour's NaN.
#[test]
fn a_gradient_that_is_no_number_reaches_only_what_it_is_multiplied_with() {
    for (algorithm, channels) in ways().into_iter().flat_map(|way| [1, 2, 3, 4].map(|channels| (way, channels))) {
        // Two weight groups of two output channels each, 42 pixels: the second channel of each lies behind the first one's last pixel.
        let sizes = Sizes { in_channels: 2 * channels, groups: 2, offset_groups: 2, ..PLAIN };
        let case = Case::new("NaN", sizes, Options { algorithm, ..padded() });
        for channel in 0..4 {
            let mut grad_output = case.grad_output();
            grad_output[channel * 42..(channel + 1) * 42].fill(f32::NAN);
            let got = run_backward(&case, &grad_output, all(&case));
            let check = |name: &str, values: Option<Vec<f32>>, parts: usize, touched: usize| {
                let values = values.unwrap();
                let part = values.len() / parts;
                for (n, value) in values.iter().enumerate() {
                    // A tap that lands nowhere has a gradient of 0 all the same.
                    let allowed = n / part == touched;
                    assert!(allowed || value.is_finite(), "{name} {n} of {channels} channels, NaN in {channel}");
                }
                assert!(values.iter().any(|value| value.is_nan()), "{name}");
            };
            check("bias", got.bias, 4, channel);
            check("weight", got.weight, 4, channel);
            check("input", got.input, 2, channel / 2);
            check("offset", got.offset, 2, channel / 2);
            check("mask", got.mask, 2, channel / 2);
        }
    }
}

/// A sample at exactly −1 is 0, whatever the pixel beside it holds.
#[test]
fn a_pixel_that_is_no_number_does_not_reach_the_weight_from_outside() {
    for algorithm in ways() {
        let sizes = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], mask: false, ..PLAIN };
        let mut case = Case::new("NaN pixel", sizes, Options { algorithm, ..Options::default() });
        // Every tap at y = −1, above the row of NaN.
        let pixels = 7 * 6;
        case = case.with_offsets(|n, _| if n < pixels { -1.0 - (n / 6) as f32 } else { 0.0 });
        case.operands.input[..6].fill(f32::NAN);
        let got = run_backward(&case, &case.grad_output(), Gradients { weight: true, ..Gradients::default() });
        assert_eq!(got.weight.unwrap(), [0.0]);
    }
}
