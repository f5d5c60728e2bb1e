//! Compares the gradients with the reference, on the case table, on random geometries and in small workspaces.

use deform::ops::deform_conv2d::reference::Reference;
use deform::ops::deform_conv2d::{Algorithm, Gradient, Mode};
use deform::{DeformConv2d, Dtype, Error, Gradients, Options, Tensor};
use deform_case::ErrorBounds;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use crate::device::{fused_subgroup, operator, poison, say, upload_to};
use crate::forward::{geometries, table};
use crate::support::case::{Case, PLAIN, Sizes, padded};
use crate::support::compare::compare;
use crate::support::golden;

/// Returns the algorithms for the products of the backward pass: with subgroups, if the device has them, and without.
pub fn ways() -> Vec<Algorithm> {
    fused_subgroup().into_iter().chain([Algorithm::Columns]).collect()
}

/// Returns which gradients the case has.
pub fn all(case: &Case) -> Gradients<bool> {
    Gradients { mask: case.shapes.mask.is_some(), bias: case.shapes.bias.is_some(), ..Gradients::ALL }
}

pub fn modes(wanted: &Gradients<bool>) -> Gradients<Mode> {
    wanted.map(|&wanted| if wanted { Mode::Write } else { Mode::Skip })
}

/// Makes tensors full of NaN for the wanted gradients.
pub fn poisoned(case: &Case, wanted: Gradients<bool>) -> Gradients<Option<Tensor>> {
    Gradients::from_fn(|operand| wanted[operand].then(|| poison(case.shapes.get(operand).unwrap())))
}

/// Runs the case through a prepared call, with gradients and scratch full of NaN.
pub fn run_backward(case: &Case, grad_output: &[f32], wanted: Gradients<bool>) -> Gradients<Option<Vec<f32>>> {
    let gradients = poisoned(case, wanted);
    record(case, grad_output, &gradients.map(|gradient| gradient.as_ref().map(Gradient::Write)));
    gradients.map(|gradient| gradient.as_ref().map(|gradient| gradient.download().unwrap()))
}

pub fn record(case: &Case, grad_output: &[f32], targets: &Gradients<Option<Gradient<'_>>>) {
    record_by(operator(), case, grad_output, targets);
}

pub fn record_by(operator: &DeformConv2d, case: &Case, grad_output: &[f32], targets: &Gradients<Option<Gradient<'_>>>) {
    let gpu = operator.gpu();
    let inputs = upload_to(gpu, case);
    let grad_output = Tensor::upload(gpu, case.geometry().output_shape(), grad_output).unwrap();
    let modes = targets.map(|target| match target {
        None => Mode::Skip,
        Some(Gradient::Write(_)) => Mode::Write,
        Some(Gradient::Add(_)) => Mode::Add,
    });
    let prepared = operator
        .prepare_backward(&case.shape_slices(), Dtype::F32, modes, case.options)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let prepared = prepared.poisoned().unwrap();
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    let inputs = inputs.as_ref();
    prepared
        .record(&mut encoder, &inputs, &grad_output, &targets.map(|target| target.map(Gradient::tensor)))
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    gpu.queue().submit([encoder.finish()]);
}

/// Runs the case and compares every gradient with the reference. Returns the worst ratio of error to bound.
pub fn check_gradients(case: &Case) -> f64 {
    let grad_output = case.grad_output();
    let got = run_backward(case, &grad_output, all(case));
    let compared = case.expected_gradients(&grad_output).compare(&got);
    compared.unwrap_or_else(|error| panic!("{} by {:?}: {error}", case.name, case.options.algorithm))
}

#[test]
fn gradients_of_the_table_meet_the_reference() {
    for algorithm in ways() {
        let by = |case: Case| check_gradients(&case.by(algorithm));
        let worst = table().into_iter().map(by).fold(0.0, f64::max);
        say(&format!("gradients of the case table by {algorithm:?}: worst error {worst:.3} of its bound"));
    }
}

/// An invocation packs 64 taps of a group at most, so two share the taps here. Each begins in another row of the kernel.
#[test]
fn gradients_of_large_kernels_meet_the_reference() {
    for algorithm in ways() {
        let sizes = Sizes { input: [6, 5], kernel: [10, 7], offset_groups: 2, ..PLAIN };
        check_gradients(&Case::new("70 taps", sizes, Options { padding: [5, 3], algorithm, ..Options::default() }));
    }
}

#[test]
fn gradients_meet_every_stored_case() {
    for algorithm in ways().into_iter().chain([Algorithm::Depthwise]) {
        let suits = |case: &Case| algorithm != Algorithm::Depthwise || case.geometry().is_depthwise();
        for golden in golden::all().into_iter().filter(|golden| suits(&golden.case)) {
            let case = Case { options: Options { algorithm, ..golden.case.options }, ..golden.case };
            let mut expected = case.gradients_at_exact_positions(&golden.grad_output);
            expected.value = golden.gradients;
            let got = run_backward(&case, &golden.grad_output, all(&case));
            expected.compare(&got).unwrap_or_else(|error| panic!("{} by {algorithm:?}: {error}", case.name));
        }
    }
}

/// Returns the least workspace limit that a case's gradients need.
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
    operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes, case.options).unwrap().plan().clone()
}

/// The workspaces are so small that pixels are cut, and then channels.
#[test]
fn gradients_meet_the_reference_from_the_least_workspace_up() {
    let sizes = Sizes { batch: 2, in_channels: 24, out_channels: 24, input: [20, 19], ..PLAIN };
    let mut layers = vec![
        // More packs than are multiplied at once.
        Sizes { in_channels: 80, offset_groups: 2, input: [9, 8], ..sizes },
        // So many output channels that the columns are kept, for both weight groups.
        Sizes { groups: 2, offset_groups: 3, out_channels: 394, input: [9, 8], ..sizes },
        // So many offset groups that a CPU sorts the taps in one pass.
        Sizes { in_channels: 32, offset_groups: 8, ..sizes },
    ];
    // Segments of 4, 8, 24, 3 and 12 channels; 3 are no whole pack.
    for (groups, offset_groups) in [(2, 3), (1, 3), (1, 1), (8, 1), (2, 1)] {
        layers.push(Sizes { groups, offset_groups, ..sizes });
    }
    let mut passes = Vec::new();
    for (algorithm, sizes) in ways().into_iter().flat_map(|way| layers.iter().map(move |&sizes| (way, sizes))) {
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
    // With subgroups of 8, which make it a CPU's plan, some sorts take one pass and some take two.
    if ways().contains(&Algorithm::FusedSubgroup) {
        for by_column in [true, false] {
            assert!(passes.contains(&(Algorithm::FusedSubgroup, by_column)), "sorted by column first: {by_column}");
        }
    }
}

#[test]
fn gradients_of_random_geometries_meet_the_reference() {
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

/// Compares some elements of each gradient with the reference, for layers whose whole gradients would take the
/// reference minutes.
pub fn check_some(case: &Case) {
    let grad_output = case.grad_output();
    let got = run_backward(case, &grad_output, all(case));
    let geometry = case.geometry();
    let value = Reference::new(&geometry, case.slices()).unwrap();
    let bounds = ErrorBounds::new(value);
    for (operand, got) in got.iter() {
        let Some(got) = got else { continue };
        assert!(got.iter().all(|value| value.is_finite()), "{}: grad_{operand} has an unwritten element", case.name);
        let places: Vec<_> = (0..24).map(|n| (n * 7_919 + n * got.len() / 24) % got.len()).collect();
        let want: Vec<_> = places.iter().map(|&n| value.gradient_at(operand, &grad_output, n)).collect();
        let some: Vec<_> = places.iter().map(|&n| got[n]).collect();
        compare(&some, &want, &bounds.gradient_at(operand, &grad_output, &places))
            .unwrap_or_else(|error| panic!("{} grad_{operand} at {places:?}: {error}", case.name));
    }
}

/// The weight has 72 MiB, so each chunk packs only its own channels.
#[test]
#[ignore = "takes long; `cargo xtask nightly` runs it"]
fn gradients_fit_the_workspace_if_the_weight_does_not() {
    for algorithm in ways() {
        let sizes = Sizes { in_channels: 1024, out_channels: 2048, input: [3, 2], ..PLAIN };
        let case = Case::new("1024→2048", sizes, Options { algorithm, ..padded() });
        assert!(plan_of(&case).memory_bytes() <= 64 << 20);
        check_some(&case);
    }
}
