//! The gradients against the reference: the case table, random geometries, small workspaces, large layers.

use deform::ops::deform_conv2d::Mode;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{Algorithm, DeformConv2d, Dtype, Error, Gradient, Gradients, Options, Tensor, wgpu};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use crate::device::{callers_gpu, distinct_algorithms, gpu, operator, poison, run, say, upload, upload_to};
use crate::errors::part_of;
use crate::forward::{geometries, table};
use crate::support::case::{Case, PLAIN, Sizes, padded};
use crate::support::compare::compare;
use crate::support::golden;

/// What the products of the backward pass are computed with: subgroups where there are, and without.
pub fn ways() -> Vec<Algorithm> {
    let subgroup = distinct_algorithms().into_iter().filter(|&algorithm| algorithm == Algorithm::FusedSubgroup);
    subgroup.chain([Algorithm::Columns]).collect()
}

/// Those gradients that the case can have.
pub fn all(case: &Case) -> Gradients<bool> {
    Gradients { mask: case.shapes.mask.is_some(), bias: case.shapes.bias.is_some(), ..Gradients::ALL }
}

fn modes(wanted: &Gradients<bool>) -> Gradients<Mode> {
    wanted.map(|&wanted| if wanted { Mode::Write } else { Mode::Skip })
}

fn shape_of<'a>(case: &'a Case, operand: &str) -> &'a [usize] {
    let mut named = case.shapes.named().filter(|(name, _)| *name == operand);
    named.next().unwrap().1
}

/// Runs the case through `record_backward`, gradients and workspace poisoned.
pub fn run_backward(case: &Case, grad_output: &[f32], wanted: Gradients<bool>) -> Gradients<Option<Vec<f32>>> {
    let mut names = wanted.named().map(|(name, _)| name).into_iter();
    let gradients = wanted.map(|&wanted| {
        let name = names.next().unwrap();
        wanted.then(|| poison(shape_of(case, name)))
    });
    record(case, grad_output, &gradients.map(|gradient| gradient.as_ref().map(Gradient::Write)));
    gradients.map(|gradient| gradient.as_ref().map(|gradient| gradient.download().unwrap()))
}

fn record(case: &Case, grad_output: &[f32], targets: &Gradients<Option<Gradient<'_>>>) {
    let inputs = upload(case);
    let grad_output = Tensor::upload(gpu(), case.geometry().output_shape(), grad_output).unwrap();
    let modes = targets.map(|target| match target {
        None => Mode::Skip,
        Some(Gradient::Write(_)) => Mode::Write,
        Some(Gradient::Add(_)) => Mode::Add,
    });
    let plan = operator()
        .prepare_backward(&case.shape_slices(), Dtype::F32, modes, case.options)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let workspace = poison(&[(plan.workspace_bytes / 4) as usize]);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let inputs = inputs.map(|tensor| tensor);
    operator()
        .record_backward(&mut encoder, &inputs, &grad_output, targets, &workspace, case.options)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    gpu().queue().submit([encoder.finish()]);
}

/// Runs the case and holds every gradient against the reference. Returns the worst ratio of error to bound.
fn check_gradients(case: &Case) -> f64 {
    let grad_output = case.grad_output();
    let got = run_backward(case, &grad_output, all(case));
    let compared = case.expected_gradients(&grad_output).compare(&got);
    compared.unwrap_or_else(|error| panic!("{} by {:?}: {error}", case.name, case.options.algorithm))
}

#[test]
fn gradients_of_the_table_meet_the_reference() {
    for algorithm in ways() {
        let by = |case: &Case| Case { options: Options { algorithm, ..case.options }, ..case.clone() };
        let worst = table().iter().map(|case| check_gradients(&by(case))).fold(0.0, f64::max);
        say(&format!("gradients of the case table by {algorithm:?}: worst error {worst:.3} of its bound"));
    }
}

#[test]
fn gradients_of_every_stored_case() {
    for algorithm in ways() {
        for golden in golden::all() {
            let case = Case { options: Options { algorithm, ..golden.case.options }, ..golden.case };
            let mut expected = case.expected_gradients(&golden.grad_output);
            // As in the forward pass: where positions are not exact in f32 the reference, proved against the same numbers, rounds them.
            if case.name != "real_offset" {
                let answer = |name: &str| golden.answers.get(name).cloned();
                expected.value = Gradients {
                    input: answer("grad_input"),
                    offset: answer("grad_offset"),
                    weight: answer("grad_weight"),
                    mask: answer("grad_mask"),
                    bias: answer("grad_bias"),
                };
            }
            let got = run_backward(&case, &golden.grad_output, all(&case));
            expected.compare(&got).unwrap_or_else(|error| panic!("{} by {algorithm:?}: {error}", case.name));
        }
    }
}

/// The least workspace limit that a case's gradients need.
fn least_workspace(case: &Case) -> u64 {
    let options = Options { workspace_limit: 0, ..case.options };
    let modes = modes(&all(case));
    match operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes, options) {
        Err(Error::WorkspaceTooSmall { needed, .. }) => needed,
        other => panic!("{}: {other:?}", case.name),
    }
}

fn plan_of(case: &Case) -> deform::plan::Plan {
    let modes = modes(&all(case));
    operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes, case.options).unwrap()
}

/// Workspaces so small that pixels, then channels are cut.
#[test]
fn gradients_in_the_least_workspace_and_all_above() {
    let sizes = Sizes { batch: 2, in_channels: 24, out_channels: 24, input: [20, 19], ..PLAIN };
    // Segments of 4, 8, 24 channels and of 3, 12 that are no whole quads, and more quads than are multiplied at once.
    let cases = [(2, 3), (1, 3), (1, 1), (8, 1), (2, 1)]
        .map(|(groups, offset_groups)| Sizes { groups, offset_groups, ..sizes })
        .into_iter()
        .chain([Sizes { in_channels: 80, offset_groups: 2, input: [9, 8], ..sizes }]);
    for (algorithm, sizes) in
        ways().into_iter().flat_map(|algorithm| cases.clone().map(move |sizes| (algorithm, sizes)))
    {
        let mut case = Case::new("least workspace", sizes, Options { algorithm, ..padded() });
        let whole = plan_of(&case).memory_bytes();
        let least = least_workspace(&case);
        assert!(least < whole, "nothing is cut");
        let mut plans = Vec::new();
        for limit in [least, least + (whole - least) / 16, least + (whole - least) / 4, (least + whole) / 2, whole] {
            case.options.workspace_limit = limit;
            let plan = plan_of(&case);
            assert!(plan.memory_bytes() <= limit, "{} bytes in {limit}", plan.memory_bytes());
            plans.push(plan.steps.len());
            check_gradients(&case);
        }
        assert!(plans.first() > plans.last(), "{plans:?}");
        case.options.workspace_limit = least - 1;
        let refused = operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes(&all(&case)), case.options);
        assert!(matches!(refused, Err(Error::WorkspaceTooSmall { .. })), "{refused:?}");
    }
}

#[test]
fn gradients_of_random_geometries() {
    let config = Config { cases: 250, rng_seed: RngSeed::Fixed(11), failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let worst = std::cell::Cell::new(0.0);
    let outcome = runner.run(&(geometries(), 0u32..4), |((sizes, options), shrink)| {
        for algorithm in ways() {
            let mut case = Case::new("random", sizes, Options { algorithm, ..options });
            case.options.workspace_limit = (plan_of(&case).memory_bytes() >> shrink).max(least_workspace(&case));
            worst.set(f64::max(worst.get(), check_gradients(&case)));
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    say(&format!("gradients of 250 random geometries: worst error {:.3} of its bound", worst.get()));
}

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

#[test]
fn the_same_call_gives_the_same_bits_and_what_is_not_asked_for_changes_none() {
    let sizes =
        Sizes { batch: 2, in_channels: 40, out_channels: 12, groups: 4, offset_groups: 2, input: [17, 23], ..PLAIN };
    for algorithm in ways() {
        let case = Case::new("bits", sizes, Options { algorithm, ..padded() });
        let grad_output = case.grad_output();
        let whole = bits(&run_backward(&case, &grad_output, Gradients::ALL));
        assert_eq!(bits(&run_backward(&case, &grad_output, Gradients::ALL)), whole);
        for subset in 0..32 {
            let mut bit = 0..5;
            let wanted = Gradients::ALL.map(|_| subset >> bit.next().unwrap() & 1 == 1);
            let got = bits(&run_backward(&case, &grad_output, wanted));
            for (((operand, got), (_, whole)), (_, wanted)) in
                got.named().into_iter().zip(whole.named()).zip(wanted.named())
            {
                assert_eq!(got.as_ref(), whole.as_ref().filter(|_| *wanted), "{operand} of {wanted:?}");
            }
        }
    }
}

#[test]
fn gradients_are_added_to_what_is_there_where_asked() {
    let sizes = Sizes { in_channels: 12, out_channels: 8, groups: 2, offset_groups: 3, input: [9, 11], ..PLAIN };
    for (algorithm, workspace) in ways().into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let mut case = Case::new("added", sizes, Options { algorithm, ..padded() });
        if workspace {
            // Channels and pixels in parts: only the first of them may write.
            case.options.workspace_limit = least_workspace(&case);
        }
        let grad_output = case.grad_output();
        let before =
            |operand: &str| (0..shape_of(&case, operand).iter().product()).map(|n: usize| (n % 17) as f32 - 8.0);
        let tensors = all(&case).named().map(|(operand, _)| {
            Tensor::upload(gpu(), shape_of(&case, operand), &before(operand).collect::<Vec<_>>()).unwrap()
        });
        let mut each = tensors.iter();
        let targets = all(&case).map(|_| each.next().map(Gradient::Add));
        record(&case, &grad_output, &targets);
        let mut each = tensors.iter();
        let mut names = ["input", "offset", "weight", "mask", "bias"].into_iter();
        let got = all(&case).map(|_| each.next().map(|tensor| tensor.download::<f32>().unwrap()));
        let added = got.map(|got| {
            let start = before(names.next().unwrap());
            got.as_ref().map(|got| got.iter().zip(start).map(|(got, before)| got - before).collect::<Vec<_>>())
        });
        // What was there is a whole number up to 8, whose sum with the gradient is rounded once more at each addition.
        let alone = run_backward(&case, &grad_output, all(&case));
        for ((operand, added), (_, alone)) in added.named().into_iter().zip(alone.named()) {
            for (added, alone) in added.as_ref().unwrap().iter().zip(alone.as_ref().unwrap()) {
                assert!((added - alone).abs() < 1e-4 * (1.0 + alone.abs()), "{operand}: {added}, expected {alone}");
            }
        }
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
    for border_gradient in [deform::BorderGradient::Torchvision, deform::BorderGradient::Mmcv] {
        for algorithm in ways() {
            // Zero offsets with padding 1: the taps of the first row and column lie at exactly −1.
            let options = Options { algorithm, border_gradient, ..padded() };
            let case = Case::new("border", PLAIN, options).with_offsets(|_, _| 0.0);
            check_gradients(&case);
            let grads = run_backward(&case, &case.grad_output(), all(&case));
            // The first tap of the second pixel: y is −1 there, x is 0.
            let first_tap_y = grads.offset.unwrap()[1];
            assert_eq!(first_tap_y == 0.0, border_gradient == deform::BorderGradient::Mmcv);
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

#[test]
fn an_empty_batch_has_gradients_of_zero() {
    for algorithm in ways() {
        let case = Case::new("empty", Sizes { batch: 0, ..PLAIN }, Options { algorithm, ..padded() });
        let grads = run_backward(&case, &[], all(&case));
        assert_eq!(grads.weight.unwrap(), vec![0.0; 4 * 4 * 9]);
        assert_eq!(grads.bias.unwrap(), vec![0.0; 4]);
    }
}

/// Some elements of each gradient of a layer whose whole gradients would take the reference minutes.
fn check_some(case: &Case) {
    let grad_output = case.grad_output();
    let got = run_backward(case, &grad_output, all(case));
    let geometry = case.geometry();
    let value = Reference::new(&geometry, case.slices()).unwrap();
    let mut absolute = case.operands.map(|operand| operand.iter().map(|value| value.abs()).collect::<Vec<_>>());
    absolute.offset.clone_from(&case.operands.offset);
    let magnitude = Reference::new(&geometry, absolute.map(Vec::as_slice)).unwrap();
    let grad_magnitude: Vec<f32> = grad_output.iter().map(|value| value.abs()).collect();
    let pixels = geometry.batch * geometry.out_pixels();
    let rows = geometry.out_channels_per_group();
    for (operand, got) in got.named() {
        let Some(got) = got else { continue };
        assert!(got.iter().all(|value| value.is_finite()), "{}: grad_{operand} has something unwritten", case.name);
        let shape = shape_of(case, operand);
        for n in 0..24 {
            let index = (n * 7_919 + n * got.len() / 24) % got.len();
            let mut rest = index;
            let mut at = [0; 4];
            for (at, size) in at.iter_mut().rev().zip(shape.iter().rev()) {
                (*at, rest) = (rest % size, rest / size);
            }
            let (want, magnitude, terms) = match operand {
                "input" => {
                    let of = |reference: &Reference<'_>, grad: &[f32]| reference.grad_input_at(grad, at);
                    (of(&value, &grad_output), of(&magnitude, &grad_magnitude), rows * geometry.taps() * 16)
                }
                "weight" => {
                    let of = |reference: &Reference<'_>, grad: &[f32]| reference.grad_weight_at(grad, at);
                    (of(&value, &grad_output), of(&magnitude, &grad_magnitude), pixels)
                }
                "mask" => {
                    let of = |reference: &Reference<'_>, grad: &[f32]| reference.grad_mask_at(grad, at);
                    let terms = geometry.channels_per_offset_group() * rows;
                    (of(&value, &grad_output), of(&magnitude, &grad_magnitude), terms)
                }
                "offset" => {
                    // Pixels, weights, masks and gradients are at most 1, 1, 1.5 and 1; a slope is at most twice a pixel.
                    let terms = geometry.channels_per_offset_group() * rows;
                    (value.grad_offset_at(&grad_output, at), 3.0 * terms as f64, 4 * terms)
                }
                _ => {
                    let planes = grad_output.chunks(geometry.out_pixels()).skip(index).step_by(geometry.out_channels);
                    let sum = planes.clone().flatten().map(|&value| f64::from(value)).sum();
                    (sum, planes.flatten().map(|value| f64::from(value.abs())).sum(), pixels)
                }
            };
            compare(&got[index..=index], &[want], &[magnitude], terms)
                .unwrap_or_else(|error| panic!("{} grad_{operand} at {at:?}: {error}", case.name));
        }
    }
}

#[test]
fn large_layers_within_64_mib() {
    let edvr = Sizes { in_channels: 128, out_channels: 128, input: [180, 320], offset_groups: 8, reach: 6.0, ..PLAIN };
    let birefnet = Sizes { in_channels: 64, out_channels: 256, input: [256, 256], reach: 6.0, ..PLAIN };
    for algorithm in ways() {
        // Where all lanes load all weights a quarter of the output channels will do.
        let part = if algorithm == Algorithm::FusedSubgroup { 1 } else { 4 };
        for (name, sizes) in [("edvr_l1", edvr), ("birefnet_k3", birefnet)] {
            let sizes = Sizes { out_channels: sizes.out_channels / part, ..sizes };
            let case = Case::new(name, sizes, Options { algorithm, ..padded() });
            assert!(plan_of(&case).memory_bytes() <= 64 << 20);
            check_some(&case);
        }
    }
}

/// What `record_backward` says to targets and a workspace changed in one way.
fn refused(change: impl FnOnce(&mut Gradients<Option<Tensor>>, &mut Tensor), mask: bool) -> Error {
    let case = Case::new("refused", Sizes { mask, ..PLAIN }, padded());
    let inputs = upload(&case);
    let grad_output = Tensor::upload(gpu(), case.geometry().output_shape(), &case.grad_output()).unwrap();
    let mut names = Gradients::ALL.named().map(|(name, _)| name).into_iter();
    let mut gradients = all(&case).map(|&there| {
        let name = names.next().unwrap();
        there.then(|| poison(shape_of(&case, name)))
    });
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
#[test]
fn gradients_on_a_callers_device_with_small_limits() {
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: 128 << 10,
        max_compute_workgroups_per_dimension: 100,
        ..wgpu::Limits::default()
    };
    let gpu = callers_gpu(limits);
    let op = DeformConv2d::new(&gpu);
    let sizes = Sizes { batch: 2, in_channels: 40, out_channels: 16, offset_groups: 5, input: [36, 35], ..PLAIN };
    let case = Case::new("small limits", sizes, padded());
    let inputs = upload_to(&gpu, &case);
    let inputs = inputs.map(|tensor| tensor);
    let grad = case.grad_output();
    let grad_output = Tensor::upload(&gpu, case.geometry().output_shape(), &grad).unwrap();
    let plan = op.prepare_backward(&case.shape_slices(), Dtype::F32, modes(&all(&case)), case.options).unwrap();
    let bound = plan.steps.iter().flat_map(|step| &step.windows);
    let buffers = bound.filter(|window| plan.scratch.iter().all(|scratch| scratch.name != window.operand));
    assert!(buffers.into_iter().all(|window| window.bytes <= 128 << 10), "{plan}");
    assert!(plan.steps.iter().any(|step| step.workgroups[1] > 1), "{plan}");
    let gradients = op.backward(&inputs, &grad_output, Gradients::ALL, case.options).unwrap();
    let got = gradients.map(|tensor| tensor.as_ref().map(|tensor| tensor.download::<f32>().unwrap()));
    case.expected_gradients(&grad).compare(&got).unwrap();
}

/// Two passes recorded into one encoder share workspace and scratch.
#[test]
fn gradients_accumulate_over_two_recordings_in_one_submission() {
    let case = Case::new("twice", Sizes { batch: 2, in_channels: 12, offset_groups: 2, ..PLAIN }, padded());
    let inputs = upload(&case);
    let inputs = inputs.map(|tensor| tensor);
    let grad = case.grad_output();
    let grad_output = Tensor::upload(gpu(), case.geometry().output_shape(), &grad).unwrap();
    let target = poison(shape_of(&case, "weight"));
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
