//! The windows of a step stand in the order of its kernel's bindings, and only their names tell whether they are the
//! right ones.

use deform::plan::{DeviceLimits, Step, WORKSPACE};
use deform::{Algorithm, Options};

use crate::loops::plans;
use crate::plans::{param, subgroups_of_8};
use crate::support::case::{PLAIN, Sizes, padded};

/// The bindings whose windows have other names than they.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("partial", &[WORKSPACE]),
    ("columns", &[WORKSPACE]),
    ("gradient", &["grad_input", "grad_weight", "grad_bias"]),
    ("ends", &["entry_ends"]),
    ("order", &["order_by_column", "order_by_cell"]),
    ("order_before", &["order_by_column"]),
    ("grad_mask", &["no_grad_mask"]),
];

/// The bindings that are not read if a parameter is 0. Any window serves them then.
const UNREAD: &[(&str, &str)] =
    &[("mask", "has_mask"), ("bias", "has_bias"), ("order_before", "follows"), ("output", "kind")];

fn is_right(step: &Step, binding: &str, window: &str) -> bool {
    let parts_of_sums = step.kernel.file == "forward/fused_tiled" && param(step, "splits") > 1;
    let is = |other: &[&str]| other.contains(&window);
    match OTHER_NAMES.iter().find(|(name, _)| *name == binding) {
        _ if window == binding => true,
        _ if parts_of_sums && binding == "output" => window == WORKSPACE,
        _ if parts_of_sums && binding == "bias" => true,
        Some((_, other)) if is(other) => true,
        _ => UNREAD.iter().any(|(name, flag)| *name == binding && param(step, flag) == 0),
    }
}

#[test]
fn every_binding_gets_the_window_of_its_name() {
    let wide = Sizes { in_channels: 24, out_channels: 40, groups: 2, offset_groups: 3, input: [30, 30], ..PLAIN };
    let depthwise = Sizes { out_channels: 24, groups: 24, ..wide };
    let mut steps = 0;
    for sizes in [wide, depthwise] {
        for (mask, bias) in [(false, false), (false, true), (true, false), (true, true)] {
            for limits in [DeviceLimits::default(), subgroups_of_8()] {
                for algorithm in [Algorithm::Auto, Algorithm::Columns] {
                    let options = Options { algorithm, ..padded() };
                    for step in
                        plans(Sizes { mask, bias, ..sizes }, options, &limits).iter().flat_map(|plan| &plan.steps)
                    {
                        for (binding, window) in step.kernel.bindings.iter().zip(&step.windows) {
                            assert!(is_right(step, binding.name, window.operand), "{}: {step}", binding.name);
                        }
                        steps += 1;
                    }
                }
            }
        }
    }
    assert!(steps > 500, "only {steps} steps were checked");
}
