//! Plans of the backward pass, made without a device: their choices for a geometry and a kind of device.

use deform::ops::deform_conv2d::{Geometry, Mode, plan_backward};
use deform::plan::{DeviceKind, DeviceLimits, MAX_LOOP_STEPS, Plan};
use deform::{Gradients, Options};

use super::case::{PLAIN, Sizes, padded};
use super::plans::{param, subgroups_of_8};

fn plan_of(sizes: Sizes, limits: &DeviceLimits) -> Plan {
    // Enough for a whole layer in one chunk.
    let options = Options { workspace_limit: 1 << 30, ..padded() };
    let shapes = sizes.shapes(&options);
    let geometry = Geometry::new(shapes.map(Vec::as_slice), &options).unwrap();
    plan_backward(&geometry, &Gradients::ALL.map(|_| Mode::Write), &options, limits).unwrap()
}

fn steps<'a>(plan: &'a Plan, kernel: &'a str) -> impl Iterator<Item = &'a deform::plan::Step> {
    plan.steps.iter().filter(move |step| step.kernel() == kernel)
}

fn has(plan: &Plan, scratch: &str) -> bool {
    plan.scratch.iter().any(|kept| kept.name == scratch)
}

const LAYER: Sizes = Sizes { in_channels: 64, out_channels: 64, input: [64, 64], ..PLAIN };

/// A CPU sorts in one pass if the partitions of several offset groups fill its vectors and have few counters for their
/// entries. Otherwise, and always on GPUs, the sort takes two passes.
#[test]
fn taps_are_sorted_in_one_pass_only_where_that_pays() {
    let eight = Sizes { offset_groups: 8, ..LAYER };
    for (sizes, limits, passes) in [
        (eight, subgroups_of_8(), 1),
        (LAYER, subgroups_of_8(), 2),
        (eight, DeviceLimits::default(), 2),
        // In one pass the loops over the counters would exceed Mesa's limit.
        (Sizes { input: [256, 250], ..eight }, subgroups_of_8(), 2),
    ] {
        let plan = plan_of(sizes, &limits);
        let chunks = steps(&plan, "backward/pack_taps").count();
        assert_eq!(steps(&plan, "sort/count").count(), passes * chunks, "{sizes:?}");
        assert_eq!(has(&plan, "order_by_column"), passes == 2, "{sizes:?}");
        for step in steps(&plan, "sort/count") {
            let (partitions, each) = (param(step, "partitions"), param(step, "entries_per_partition"));
            assert!(partitions * each >= param(step, "entries"), "{step}");
            assert!(each + param(step, "buckets") + 2 < MAX_LOOP_STEPS, "{step}");
        }
        // A row of cells has the counters of all partitions, and the next row follows directly.
        let last = steps(&plan, "sort/count").last().unwrap();
        for step in steps(&plan, "backward/grad_input/single").chain(steps(&plan, "backward/grad_input/paired")) {
            assert_eq!(param(step, "counters_per_row"), param(last, "row_step") * param(last, "partitions"));
            assert_eq!(param(step, "counters"), param(last, "buckets") * param(last, "partitions"));
        }
    }
}

/// Columns are stored for many output channels only. Up to three tiles of 64 on a CPU, and one tile of 16 elsewhere,
/// sample them again instead.
#[test]
fn columns_are_kept_if_many_output_channels_read_them() {
    for (limits, most) in [(subgroups_of_8(), 192), (DeviceLimits::default(), 16)] {
        for (out_channels, kept) in [(most, false), (most + 1, true)] {
            let plan = plan_of(Sizes { out_channels, ..LAYER }, &limits);
            assert_eq!(has(&plan, "columns"), kept, "{out_channels}");
            assert_eq!(steps(&plan, "backward/grad_offset/keeps_columns").count() > 0, kept, "{out_channels}");
            assert_eq!(steps(&plan, "backward/grad_offset/drops_columns").count() > 0, !kept, "{out_channels}");
        }
    }
}

/// Only a CPU gets kernels whose workgroup must be one full subgroup, unless the caller asks for them: a GPU may leave
/// lanes of a subgroup empty.
#[test]
fn a_gpu_with_subgroups_of_8_takes_the_portable_kernels() {
    let gpu = DeviceLimits { kind: DeviceKind::IntegratedGpu, ..subgroups_of_8() };
    for (limits, uses_subgroups) in [(gpu, false), (subgroups_of_8(), true)] {
        let plan = plan_of(LAYER, &limits);
        assert_eq!(steps(&plan, "backward/grad_column/subgroup").count() > 0, uses_subgroups);
        assert_eq!(plan.steps.iter().any(|step| step.kernel.subgroups), uses_subgroups);
    }
}

/// On a CPU the lanes that gather a row of cells keep to 8 packs, two for each lane. Elsewhere there is a lane for each
/// of the 32 packs.
#[test]
fn lanes_of_a_row_keep_to_a_block_of_columns_on_a_cpu() {
    let layer = Sizes { in_channels: 128, ..LAYER };
    let lanes = |limits, kernel| {
        let plan = plan_of(layer, &limits);
        assert!(steps(&plan, kernel).count() > 0);
        steps(&plan, kernel).map(|step| param(step, "lanes_per_row")).max()
    };
    assert_eq!(lanes(subgroups_of_8(), "backward/grad_input/paired"), Some(4));
    assert_eq!(lanes(DeviceLimits::default(), "backward/grad_input/single"), Some(32));
}

/// The pixels that fill up a block have no entries, so they do not count towards the limit of the loops.
#[test]
fn a_kernel_as_large_as_its_image_has_gradients() {
    let sizes = Sizes { in_channels: 4, out_channels: 4, input: [87, 87], kernel: [87, 87], ..PLAIN };
    for limits in [subgroups_of_8(), DeviceLimits::default()] {
        assert!(steps(&plan_of(sizes, &limits), "backward/pack_taps").all(|step| param(step, "tap_blocks") == 119));
    }
}

/// The memory that a plan takes suffices for it: no smaller part needs more. A part of 32 pixels once did, whose sort
/// takes two passes, where that of 64 takes one.
#[test]
fn a_plans_own_memory_suffices() {
    let few = Sizes { in_channels: 2, input: [10, 1], out_channels: 8, kernel: [4, 3], bias: false, ..PLAIN };
    let options = Options { stride: [2, 1], padding: [3, 3], ..Options::default() };
    for (sizes, limits) in [few, Sizes { groups: 2, out_channels: 2, ..few }]
        .into_iter()
        .flat_map(|sizes| [DeviceLimits::default(), subgroups_of_8()].map(|limits| (sizes, limits)))
    {
        let shapes = sizes.shapes(&options);
        let geometry = Geometry::new(shapes.map(Vec::as_slice), &options).unwrap();
        let modes = Gradients { bias: Mode::Skip, ..Gradients::ALL.map(|_| Mode::Write) };
        let plan = |workspace_limit| plan_backward(&geometry, &modes, &Options { workspace_limit, ..options }, &limits);
        let memory = plan(1 << 26).unwrap().memory_bytes();
        assert_eq!(plan(memory).map(|plan| plan.memory_bytes()), Ok(memory));
    }
}

/// Parts of a large image do not pack its input again and again, and those of a small image do not sort its taps again.
#[test]
fn parts_are_in_the_order_that_does_less_again() {
    let planned = |sizes: Sizes, workspace_limit| {
        let options = Options { workspace_limit, ..padded() };
        let shapes = sizes.shapes(&options);
        let geometry = Geometry::new(shapes.map(Vec::as_slice), &options).unwrap();
        plan_backward(&geometry, &Gradients::ALL.map(|_| Mode::Write), &options, &subgroups_of_8()).unwrap()
    };
    let large = Sizes { in_channels: 32, out_channels: 32, input: [1024, 1024], ..PLAIN };
    let deep = Sizes { in_channels: 2048, out_channels: 16, input: [16, 16], ..PLAIN };
    for (sizes, workspace_limit, channels_first) in [(large, 64 << 20, true), (deep, 6 << 20, false)] {
        let plan = planned(sizes, workspace_limit);
        let parts = steps(&plan, "backward/grad_column/subgroup").count();
        let [inputs, taps] =
            ["convolution/pack_input", "backward/pack_taps"].map(|kernel| steps(&plan, kernel).count());
        assert_eq!([inputs < parts, taps < parts], [channels_first, !channels_first], "{inputs} {taps} {parts}");
    }
}
