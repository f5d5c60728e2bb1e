//! Images of which the workspace does not hold one pack of channels: plans pack some rows of the input at a time.

use deform::Options;
use deform::ops::conv2d::Activation;
use deform::plan::Plan;

use crate::backward::{check_gradients, plan_of, ways};
use crate::conv2d;
use crate::device::{check, forward_plan, fused_subgroup};
use crate::support::case::{Case, PLAIN, Sizes, depthwise, padded, regular};

/// A pack of the image takes 155 KiB.
const WIDE: Sizes = Sizes { in_channels: 3, out_channels: 5, input: [64, 150], kernel: [2, 1], ..PLAIN };

/// Less than a pack, for the forward pass.
const LESS: u64 = 100 << 10;

/// The backward pass gives a pack at most three quarters of the workspace.
const MORE: u64 = 210 << 10;

fn cases(workspace_limit: u64) -> Vec<Case> {
    let options = Options { workspace_limit, ..padded() };
    let far = Sizes { reach: 30.0, ..WIDE };
    let packs = Sizes { in_channels: 6, out_channels: 4, groups: 2, offset_groups: 2, kernel: [1, 1], ..WIDE };
    let strided = Options { stride: [2, 1], padding: [3, 0], ..options };
    // Taps on every row and between all rows, at −1 and outside, so also where parts meet.
    let whole = Case::new("whole and half rows", WIDE, options).with_offsets(|at, _| {
        let row = 0.5 * (at.index % 132) as f32 - 1.0;
        if at.axis == 0 { row - at.y as f32 } else { 0.0 }
    });
    vec![
        whole,
        Case::new("far", far, options),
        Case::new("images and packs", Sizes { batch: 2, ..packs }, options),
        Case::new("stride 2", Sizes { mask: false, bias: false, ..WIDE }, strided),
    ]
}

/// Asserts that a plan packs some rows at a time, and is within its workspace.
fn assert_cut(plan: &Plan, case: &Case) {
    let rows: Vec<_> = plan.steps.iter().filter(|step| step.kernel() == "convolution/pack_input").collect();
    assert!(!rows.is_empty() && rows.iter().all(|step| step.param("rows").is_some_and(|rows| rows < 64)), "{plan}");
    assert!(plan.memory_bytes() <= case.options.workspace_limit, "{plan}");
}

#[test]
fn outputs_of_some_rows_at_a_time_meet_the_reference() {
    let by = |algorithm| cases(LESS).into_iter().map(move |case| case.by(algorithm));
    for case in fused_subgroup().into_iter().flat_map(by) {
        assert_cut(&forward_plan(&case), &case);
        check(&case);
    }
}

#[test]
fn gradients_of_some_rows_at_a_time_meet_the_reference() {
    let by = |algorithm| cases(MORE).into_iter().map(move |case| case.by(algorithm));
    for case in ways().into_iter().flat_map(by) {
        assert_cut(&plan_of(&case), &case);
        check_gradients(&case);
    }
    for case in cases(MORE).into_iter().take(3).map(depthwise) {
        assert_cut(&plan_of(&case), &case);
        check_gradients(&case);
    }
}

#[test]
fn ordinary_convolutions_of_some_rows_at_a_time_meet_the_reference() {
    let by = |algorithm| cases(LESS).into_iter().skip(1).map(move |case| regular(case).by(algorithm));
    for case in fused_subgroup().into_iter().flat_map(by) {
        conv2d::check(&case, Activation::Relu);
    }
    for case in cases(MORE).into_iter().skip(1).map(regular) {
        conv2d::check_gradients(&case, Activation::Relu);
    }
}
