//! The gradients against the reference: the case table, random geometries, small workspaces.

use deform::ops::deform_conv2d::Mode;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{Algorithm, Dtype, Error, Gradient, Gradients, Operand, Options, Tensor};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use crate::device::{distinct_algorithms, gpu, operator, poison, say, upload};
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

pub fn modes(wanted: &Gradients<bool>) -> Gradients<Mode> {
    wanted.map(|&wanted| if wanted { Mode::Write } else { Mode::Skip })
}

/// Tensors for those gradients, full of what no kernel writes.
pub fn poisoned(case: &Case, wanted: Gradients<bool>) -> Gradients<Option<Tensor>> {
    Gradients::from_fn(|operand| wanted[operand].then(|| poison(case.shapes.get(operand).unwrap())))
}

/// Runs the case through `record_backward`, gradients and workspace poisoned.
pub fn run_backward(case: &Case, grad_output: &[f32], wanted: Gradients<bool>) -> Gradients<Option<Vec<f32>>> {
    let gradients = poisoned(case, wanted);
    record(case, grad_output, &gradients.map(|gradient| gradient.as_ref().map(Gradient::Write)));
    gradients.map(|gradient| gradient.as_ref().map(|gradient| gradient.download().unwrap()))
}

pub fn record(case: &Case, grad_output: &[f32], targets: &Gradients<Option<Gradient<'_>>>) {
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
pub fn check_gradients(case: &Case) -> f64 {
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
    for algorithm in ways().into_iter().chain([Algorithm::Depthwise]) {
        let suits = |case: &Case| algorithm != Algorithm::Depthwise || case.geometry().is_depthwise();
        for golden in golden::all().into_iter().filter(|golden| suits(&golden.case)) {
            let case = Case { options: Options { algorithm, ..golden.case.options }, ..golden.case };
            let mut expected = case.expected_gradients(&golden.grad_output);
            // As in the forward pass: where positions are not exact in f32 the reference, proved against the same numbers, rounds them.
            if case.name != "real_offset" {
                expected.value = Gradients::from_fn(|operand| golden.answers.get(operand.gradient_name()).cloned());
            }
            let got = run_backward(&case, &golden.grad_output, all(&case));
            expected.compare(&got).unwrap_or_else(|error| panic!("{} by {algorithm:?}: {error}", case.name));
        }
    }
}

/// The least workspace limit that a case's gradients need.
pub fn least_workspace(case: &Case) -> u64 {
    let options = Options { workspace_limit: 0, ..case.options };
    let modes = modes(&all(case));
    match operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes, options) {
        Err(Error::WorkspaceTooSmall { needed, .. }) => needed,
        other => panic!("{}: {other:?}", case.name),
    }
}

pub fn plan_of(case: &Case) -> deform::plan::Plan {
    let modes = modes(&all(case));
    operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes, case.options).unwrap()
}

/// Workspaces so small that pixels, then channels are cut.
#[test]
fn gradients_in_the_least_workspace_and_all_above() {
    let sizes = Sizes { batch: 2, in_channels: 24, out_channels: 24, input: [20, 19], ..PLAIN };
    // Segments of 4, 8, 24 channels and of 3, 12 that are no whole packs, and more packs than are multiplied at once.
    let cases = [(2, 3), (1, 3), (1, 1), (8, 1), (2, 1)]
        .map(|(groups, offset_groups)| Sizes { groups, offset_groups, ..sizes })
        .into_iter()
        .chain([
            Sizes { in_channels: 80, offset_groups: 2, input: [9, 8], ..sizes },
            // So many output channels that the columns are kept, for both weight groups.
            Sizes { groups: 2, offset_groups: 3, out_channels: 394, input: [9, 8], ..sizes },
            // So many offset groups that a CPU puts the taps in order in one pass.
            Sizes { in_channels: 32, offset_groups: 8, ..sizes },
        ]);
    let mut passes = Vec::new();
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
            passes.push((algorithm, plan.scratch.iter().any(|scratch| scratch.name == "order_by_column")));
            check_gradients(&case);
        }
        assert!(plans.first() > plans.last(), "{plans:?}");
        case.options.workspace_limit = least - 1;
        let refused = operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes(&all(&case)), case.options);
        assert!(matches!(refused, Err(Error::WorkspaceTooSmall { .. })), "{refused:?}");
    }
    // Where subgroups of 8 make it a CPU's plan, taps were sorted in both ways.
    for algorithm in ways().into_iter().filter(|&algorithm| algorithm == Algorithm::FusedSubgroup) {
        assert!([true, false].iter().all(|&by_column| passes.contains(&(algorithm, by_column))));
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

/// Some elements of each gradient of a layer whose whole gradients would take the reference minutes.
pub fn check_some(case: &Case) {
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
    let terms_of_tap = geometry.channels_per_offset_group() * rows;
    for (operand, got) in got.iter() {
        let Some(got) = got else { continue };
        assert!(got.iter().all(|value| value.is_finite()), "{}: grad_{operand} has something unwritten", case.name);
        for n in 0..24 {
            let index = (n * 7_919 + n * got.len() / 24) % got.len();
            let want = value.gradient_at(operand, &grad_output, index);
            let summed = || magnitude.gradient_at(operand, &grad_magnitude, index);
            let (magnitude, terms) = match operand {
                Operand::Input => (summed(), rows * geometry.taps() * 16),
                Operand::Weight | Operand::Bias => (summed(), pixels),
                Operand::Mask => (summed(), terms_of_tap),
                // Pixels, weights, masks and gradients are at most 1, 1, 1.5 and 1; a slope is at most twice a pixel.
                Operand::Offset => (3.0 * terms_of_tap as f64, 4 * terms_of_tap),
            };
            compare(&got[index..=index], &[want], &[magnitude], terms)
                .unwrap_or_else(|error| panic!("{} grad_{operand}[{index}]: {error}", case.name));
        }
    }
}

/// A weight of 72 MiB, of which a chunk's channels alone are packed.
#[test]
fn a_weight_larger_than_the_workspace() {
    for algorithm in ways() {
        let sizes = Sizes { in_channels: 1024, out_channels: 2048, input: [3, 2], ..PLAIN };
        let case = Case::new("1024→2048", sizes, Options { algorithm, ..padded() });
        assert!(plan_of(&case).memory_bytes() <= 64 << 20);
        check_some(&case);
    }
}
