//! Images that no binding holds: plans work on bands of output rows.

use std::sync::OnceLock;

use deform::ops::conv2d::{self, Activation, Conv2d};
use deform::ops::deform_conv2d::{Algorithm, Gradient, Tile};
use deform::plan::{Plan, Step};
use deform::{DeformConv2d, Dtype, Error, Gpu, Gradients, Options, Tensor, wgpu};

use crate::backward::{all, modes, record_by, run_backward, ways};
use crate::conv2d::modes as conv2d_modes;
use crate::device::{fused_subgroup, gpu, poison_on, run, run_on, same_adapter};
use crate::half_precision;
use crate::support::case::{Case, PLAIN, Sizes, depthwise, padded, regular};
use crate::support::compare::compare;

/// The algorithms that bind whole images.
const IN_BANDS: [Algorithm; 2] = [Algorithm::Direct, Algorithm::FusedTiled { tile: Tile::M32N32, splits: 1 }];

/// The largest binding in bytes.
const BINDING: u64 = 32 << 10;

/// A device with the features of the shared one and small bindings.
fn small() -> &'static DeformConv2d {
    static SMALL: OnceLock<DeformConv2d> = OnceLock::new();
    SMALL.get_or_init(|| DeformConv2d::new(&with_bindings(gpu().device().features())))
}

fn with_bindings(features: wgpu::Features) -> Gpu {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: BINDING, ..gpu().device().limits() };
    same_adapter(gpu(), features, limits)
}

/// Returns cases whose offset and mask, or whose output, exceed a binding. Offsets reach rows far above and below a
/// band.
fn cases() -> Vec<Case> {
    let sizes = Sizes { in_channels: 4, out_channels: 7, input: [37, 41], reach: 12.0, ..PLAIN };
    let strided = Options { stride: [2, 1], dilation: [2, 1], ..padded() };
    let pointwise = Sizes { out_channels: 40, kernel: [1, 1], mask: false, bias: false, ..sizes };
    vec![
        Case::new("an image", sizes, padded()),
        Case::new(
            "images and groups",
            Sizes { batch: 3, out_channels: 6, groups: 2, offset_groups: 2, ..sizes },
            padded(),
        ),
        Case::new("stride 2", Sizes { input: [43, 41], mask: false, ..sizes }, strided),
        Case::new("a large output", pointwise, Options::default()),
    ]
}

/// Asserts that a plan is in bands, and that its memory and windows are within the limits.
fn assert_in_bands(plan: &Plan, options: &Options) {
    assert!(plan.steps.iter().any(|step| step.kernel() == "convolution/copy_rows"), "{plan}");
    assert!(plan.notes.iter().any(|note| note.contains("bands")), "{plan}");
    assert!(plan.memory_bytes() <= options.workspace_limit, "{plan}");
}

fn forward_plan(case: &Case) -> Plan {
    small().prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap().plan().clone()
}

fn backward_plan(case: &Case) -> Plan {
    small().prepare_backward(&case.shape_slices(), Dtype::F32, modes(&all(case)), case.options).unwrap().plan().clone()
}

/// The sum of an output runs in one order, whatever the band.
#[test]
fn outputs_in_bands_have_the_bits_of_whole_images() {
    for algorithm in IN_BANDS {
        for case in cases() {
            let case = case.by(algorithm);
            assert_in_bands(&forward_plan(&case), &case.options);
            assert!(run_on(small().gpu(), small(), &case) == run(&case), "{} by {algorithm}", case.name);
        }
    }
    for case in cases().into_iter().take(3).map(depthwise) {
        assert_in_bands(&forward_plan(&case), &case.options);
        assert!(run_on(small().gpu(), small(), &case) == run(&case), "{} depthwise", case.name);
    }
}

/// Compares every gradient with the reference, and returns their tensors.
fn check_gradients(case: &Case) -> Gradients<Option<Tensor>> {
    assert_in_bands(&backward_plan(case), &case.options);
    let (grad_output, wanted) = (case.grad_output(), all(case));
    let targets = Gradients::from_fn(|operand| {
        wanted[operand].then(|| poison_on(small().gpu(), case.shapes.get(operand).unwrap()))
    });
    record_by(small(), case, &grad_output, &targets.map(|target| target.as_ref().map(Gradient::Write)));
    let got = targets.map(|target| target.as_ref().map(|target| target.download::<f32>().unwrap()));
    case.expected_gradients(&grad_output).compare(&got).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    targets
}

/// The algorithm for subgroups of 8 binds some taps and some output channels at a time.
#[test]
fn outputs_in_parts_meet_the_reference() {
    let by = |algorithm| cases().into_iter().map(move |case| case.by(algorithm));
    for case in fused_subgroup().into_iter().flat_map(by) {
        let plan = forward_plan(&case);
        let cut = |step: &Step| ["tap_start", "row_start"].iter().any(|name| step.param(name).is_some_and(|n| n > 0));
        assert!(plan.steps.iter().any(cut) && plan.notes.is_empty(), "{plan}");
        let (want, bounds) = case.expected();
        compare(&run_on(small().gpu(), small(), &case), &want, &bounds).unwrap();
    }
}

/// The gradients of offset and mask are sums in one order, too. All others are added up band by band.
#[test]
fn gradients_in_bands_meet_the_reference() {
    let by = |algorithm| cases().into_iter().map(move |case| case.by(algorithm));
    let cases: Vec<_> = ways().into_iter().flat_map(by).collect();
    let in_bands = |case: &Case| case.name != "a large output";
    for case in cases.into_iter().chain(self::cases().into_iter().map(depthwise)).filter(in_bands) {
        let targets = check_gradients(&case);
        let download = || targets.map(|target| target.as_ref().map(|target| target.download::<f32>().unwrap()));
        let got = download();
        let whole = run_backward(&case, &case.grad_output(), all(&case));
        assert!((&got.offset, &got.mask) == (&whole.offset, &whole.mask), "{}", case.name);
        // Adding the gradients to themselves doubles them.
        record_by(small(), &case, &case.grad_output(), &targets.map(|target| target.as_ref().map(Gradient::Add)));
        let (once, twice) = (got.offset.unwrap(), download().offset.unwrap());
        assert!(once.iter().zip(&twice).all(|(once, twice)| 2.0 * once == *twice), "{}", case.name);
    }
}

/// Half precision is read and written in bands as f16 and, on devices without that type, in halves of words.
#[test]
fn half_precision_in_bands_meets_the_reference() {
    let packed = DeformConv2d::new(&with_bindings(wgpu::Features::empty()));
    for operator in [small(), &packed] {
        // In f16 a binding holds the offset of stride 2.
        for case in cases().into_iter().filter(|case| case.name != "stride 2") {
            let case = half_precision::rounded(case);
            let plan = operator.prepare(&case.shape_slices(), Dtype::F16, case.options).unwrap().plan().clone();
            assert_in_bands(&plan, &case.options);
            half_precision::check(operator.gpu(), operator, &case);
        }
    }
}

/// Without an offset only a large output leads to bands. Its activation is undone band by band. The output itself is cut
/// by its channels.
#[test]
fn ordinary_convolutions_in_bands_meet_the_reference() {
    let gpu = small().gpu();
    let operator = Conv2d::new(gpu);
    let sizes = Sizes { batch: 2, in_channels: 5, out_channels: 6, input: [20, 24], ..PLAIN };
    let case = regular(Case::new("a wide border", sizes, Options { padding: [15, 14], ..Options::default() }));
    let options = crate::conv2d::options(&case, Activation::Relu);
    let shapes = crate::conv2d::shapes(&case);
    let backward = operator.prepare_backward(&shapes, Dtype::F32, conv2d_modes(&case), options).unwrap().plan().clone();
    assert_in_bands(&backward, &case.options);
    let tensor = |shape: &[usize], values: &[f32]| Tensor::upload(gpu, shape, values).unwrap();
    let inputs = conv2d::Inputs {
        input: &tensor(&case.shapes.input, &case.operands.input),
        weight: &tensor(&case.shapes.weight, &case.operands.weight),
        bias: Some(&tensor(case.shapes.bias.as_ref().unwrap(), case.operands.bias.as_ref().unwrap())),
    };
    let output = operator.forward(&inputs, options).unwrap();
    let (want, bounds) = case.expected();
    let outputs = output.download::<f32>().unwrap();
    let positive: Vec<_> = want.iter().map(|want| want.max(0.0)).collect();
    compare(&outputs, &positive, &bounds).unwrap();

    let grad_output = case.grad_output();
    let linear = outputs.iter().zip(&grad_output).map(|(output, grad)| if *output > 0.0 { *grad } else { 0.0 });
    let linear: Vec<_> = linear.collect();
    let grad_output = tensor(output.shape(), &grad_output);
    let got = operator.backward(&inputs, &output, &grad_output, conv2d::Gradients::ALL, options).unwrap();
    let download = |tensor: Option<Tensor>| tensor.map(|tensor| tensor.download::<f32>().unwrap());
    let got = Gradients {
        input: download(got.input),
        weight: download(got.weight),
        bias: download(got.bias),
        ..Gradients::default()
    };
    case.expected_gradients(&linear).compare(&got).unwrap();
}

/// A small workspace makes the bands low.
#[test]
fn bands_meet_the_reference_from_the_least_workspace_up() {
    for case in cases().into_iter().take(2) {
        for algorithm in IN_BANDS {
            let with = |workspace_limit| Options { algorithm, workspace_limit, ..case.options };
            let refused = small().prepare(&case.shape_slices(), Dtype::F32, with(0)).unwrap_err();
            let Error::WorkspaceTooSmall { needed, .. } = refused else { panic!("{}: {refused}", case.name) };
            for limit in [needed, 3 * needed] {
                let case = Case { options: with(limit), ..case.clone() };
                assert_in_bands(&forward_plan(&case), &case.options);
                let (want, bounds) = case.expected();
                compare(&run_on(small().gpu(), small(), &case), &want, &bounds).unwrap();
            }
        }
        let with = |workspace_limit| Options { workspace_limit, ..case.options };
        let modes = modes(&all(&case));
        let refused = small().prepare_backward(&case.shape_slices(), Dtype::F32, modes, with(0)).unwrap_err();
        let Error::WorkspaceTooSmall { needed, .. } = refused else { panic!("{}: {refused}", case.name) };
        check_gradients(&Case { options: with(needed), ..case.clone() });
    }
}
