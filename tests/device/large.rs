//! Layers of real sizes, whose columns and operands exceed the workspace and one binding. The longest tests are
//! ignored, and `cargo xtask nightly` runs them.

use deform::Options;
use deform::ops::deform_conv2d::Algorithm;

use crate::backward::{check_some, plan_of, ways};
use crate::device::{distinct_algorithms, forward_plan, gpu, run};
use crate::support::case::{Case, PLAIN, Sizes, depthwise, padded};
use crate::support::compare::compare;

/// Returns `count` output elements spread over all images, channels and pixels: their flat indices, and their indices
/// by axis.
fn spread(case: &Case, count: usize) -> (Vec<usize>, Vec<[usize; 4]>) {
    let [batch, channels, height, width] = case.geometry().output_shape();
    let elements = batch * channels * height * width;
    let flat: Vec<_> = (0..count).map(|n| (n * 7_919 + n * elements / count) % elements).collect();
    let unflatten = |&at: &usize| {
        let (rest, ox) = (at / width, at % width);
        let (rest, oy) = (rest / height, rest % height);
        [rest / channels, rest % channels, oy, ox]
    };
    let indices = flat.iter().map(unflatten).collect();
    (flat, indices)
}

fn check_spread(case: &Case) {
    let got = run(case);
    assert!(got.iter().all(|value| value.is_finite()), "{}: an element was left unwritten", case.name);
    let (flat, indices) = spread(case, 500);
    let got: Vec<_> = flat.into_iter().map(|at| got[at]).collect();
    let (want, bounds) = case.expected_at(&indices);
    compare(&got, &want, &bounds).unwrap_or_else(|error| panic!("{}: {error}", case.name));
}

#[test]
#[ignore = "takes long; `cargo xtask nightly` runs it"]
fn columns_of_784_mib_fit_a_workspace_of_64_mib() {
    // birefnet_k7 with fewer output channels, which do not change the column buffer.
    let sizes = Sizes { in_channels: 64, out_channels: 4, input: [256, 256], kernel: [7, 7], reach: 6.0, ..PLAIN };
    for algorithm in distinct_algorithms() {
        let options = Options { padding: [3, 3], algorithm, ..Options::default() };
        let case = Case::new("birefnet_k7", sizes, options);
        let plan = forward_plan(&case);
        assert!(plan.memory_bytes() <= 64 << 20, "{} bytes", plan.memory_bytes());
        check_spread(&case);
    }
}

#[test]
fn a_layer_of_eight_offset_groups_meets_the_reference() {
    // edvr_l1 with fewer output channels: 253 MiB of columns.
    let sizes = Sizes { in_channels: 128, out_channels: 4, input: [180, 320], offset_groups: 8, reach: 6.0, ..PLAIN };
    for algorithm in distinct_algorithms() {
        check_spread(&Case::new("edvr_l1", sizes, Options { algorithm, ..padded() }));
    }
}

#[test]
fn operands_larger_than_one_binding_meet_the_reference() {
    // In one image the input has 144.1 MiB, the offset 288.1 and the output 128.1, more than the 128 MiB that the
    // smallest devices bind.
    let sizes = Sizes { in_channels: 9, out_channels: 8, input: [2048, 2049], kernel: [1, 1], ..PLAIN };
    let sizes = Sizes { offset_groups: 9, mask: false, ..sizes };
    let case = Case::new("wide windows", sizes, Options::default());
    let plan = forward_plan(&case);
    let limit = gpu().limits().max_binding_bytes;
    assert!(plan.steps.iter().flat_map(|step| &step.windows).all(|window| window.bytes <= limit), "{plan}");
    check_spread(&case);
}

#[test]
#[ignore = "takes long; `cargo xtask nightly` runs it"]
fn gradients_fit_a_workspace_of_64_mib() {
    let edvr = Sizes { in_channels: 128, out_channels: 128, input: [180, 320], offset_groups: 8, reach: 6.0, ..PLAIN };
    let birefnet = Sizes { in_channels: 64, out_channels: 256, input: [256, 256], reach: 6.0, ..PLAIN };
    for algorithm in ways() {
        // Without subgroups every lane loads every weight, which is slow. A quarter of the output channels suffices
        // there.
        let part = if algorithm == Algorithm::FusedSubgroup { 1 } else { 4 };
        for (name, sizes) in [("edvr_l1", edvr), ("birefnet_k3", birefnet)] {
            let sizes = Sizes { out_channels: sizes.out_channels / part, ..sizes };
            let case = Case::new(name, sizes, Options { algorithm, ..padded() });
            assert!(plan_of(&case).memory_bytes() <= 64 << 20);
            check_some(&case);
        }
    }
}

/// The channels need several chunks: packs of the only segment with one offset group, and whole segments with eight.
#[test]
#[ignore = "takes long; `cargo xtask nightly` runs it"]
fn depthwise_gradients_fit_a_workspace_of_64_mib() {
    for offset_groups in [1, 8] {
        let sizes = Sizes { in_channels: 128, offset_groups, input: [200, 304], reach: 6.0, ..PLAIN };
        let case = depthwise(Case::new("depthwise", sizes, padded()));
        let plan = plan_of(&case);
        assert!(plan.memory_bytes() <= 64 << 20 && plan.steps.len() < 100, "{} steps", plan.steps.len());
        check_some(&case);
    }
}
