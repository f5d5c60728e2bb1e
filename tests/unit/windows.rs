//! The windows of a step stand in the order of its kernel's bindings, and only their names tell whether they are the
//! right ones.

use std::collections::BTreeSet;

use deform::Options;
use deform::kernel::{KERNELS, Sampling};
use deform::ops::conv2d::Activation;
use deform::plan::{DeviceLimits, Step, WORKSPACE};

use super::case::{PLAIN, Sizes, padded};
use super::loops::{geometries, plans};
use super::plans::{param, subgroups_of_8};

/// The bindings whose windows have other names than they.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("partial", &[WORKSPACE]),
    ("columns", &[WORKSPACE]),
    ("gradient", &["grad_input", "grad_weight", "grad_bias"]),
    ("ends", &["entry_ends"]),
    ("order", &["order_by_column", "order_by_cell"]),
    ("order_before", &["order_by_column"]),
    ("grad_mask", &["no_grad_mask"]),
    ("rows", &ROWS),
    ("copied", &ROWS),
];

/// The operands of which bands take some rows.
const ROWS: [&str; 6] = ["offset", "mask", "output", "grad_output", "grad_offset", "grad_mask"];

/// The bindings that are not read if a parameter is 0. Any window serves them then.
const UNREAD: &[(&str, &str)] =
    &[("mask", "has_mask"), ("bias", "has_bias"), ("order_before", "follows"), ("output", "kind")];

/// With and without a mask, and a bias.
const BOTH: [[bool; 2]; 4] = [[false, false], [false, true], [true, false], [true, true]];

fn is_right(step: &Step, binding: &str, window: &str) -> bool {
    let parts_of_sums = step.kernel.file == "forward/fused_tiled" && param(step, "splits") > 1;
    // A band's rows stand for the operand.
    let window = window.strip_suffix("_rows").unwrap_or(window);
    let is = |other: &[&str]| other.contains(&window);
    match OTHER_NAMES.iter().find(|(name, _)| *name == binding) {
        _ if window == binding => true,
        _ if parts_of_sums && binding == "output" => window == WORKSPACE,
        _ if parts_of_sums && binding == "bias" => true,
        // A convolution without an offset does not read it.
        _ if step.specialization.sampling == Sampling::Regular && binding == "offset" => true,
        Some((_, other)) if is(other) => true,
        _ => UNREAD.iter().any(|(name, flag)| *name == binding && param(step, flag) == 0),
    }
}

#[test]
fn every_binding_gets_the_window_of_its_name() {
    let wide = Sizes { in_channels: 24, out_channels: 40, groups: 2, offset_groups: 3, input: [30, 30], ..PLAIN };
    // Weight groups of one input channel and one, two or four output channels, with one, two or four packs in an offset
    // group.
    let small = [(4, 1), (2, 1), (1, 1), (2, 2), (1, 2), (1, 4)].map(|(packs, rows)| {
        let channels = 3 * 4 * packs;
        Sizes { in_channels: channels, out_channels: rows * channels, groups: channels, ..wide }
    });
    let shared = Sizes { out_channels: 12, groups: 6, ..wide };
    let layers =
        small.into_iter().chain([shared]).chain([8, 40, 200, 400].map(|out_channels| Sizes { out_channels, ..wide }));
    let mut seen = BTreeSet::new();
    for (sizes, [mask, bias]) in layers.flat_map(|sizes| BOTH.map(|both| (sizes, both))) {
        let options = padded();
        let tight = Options { workspace_limit: 150 << 10, ..options };
        let mut geometries = geometries(Sizes { mask, bias, ..sizes }, options).to_vec();
        let mut activated = geometries[1];
        activated.activation = Activation::Relu;
        geometries.push(activated);
        let small = DeviceLimits { max_binding_bytes: 32 << 10, ..subgroups_of_8() };
        for limits in [DeviceLimits::default(), subgroups_of_8(), small] {
            let options = [options, tight];
            let plans = geometries.iter().flat_map(|g| options.into_iter().flat_map(move |o| plans(g, o, &limits)));
            for step in plans.flat_map(|plan| plan.steps) {
                for (binding, window) in step.kernel.bindings.iter().zip(&step.windows) {
                    assert!(is_right(&step, binding.name, window.operand), "{}: {step}", binding.name);
                }
                seen.insert(step.kernel.name);
            }
        }
    }
    // The other operators make no plan without a device. Their tests compare results.
    let folders = ["forward/", "backward/", "convolution/", "sort/"];
    let planned = KERNELS.iter().map(|kernel| kernel.name).filter(|name| folders.iter().any(|f| name.starts_with(f)));
    assert!(seen.remove("activation/activate"));
    let planned: BTreeSet<_> = planned.collect();
    assert!(seen == planned, "{:?}", planned.symmetric_difference(&seen));
}
