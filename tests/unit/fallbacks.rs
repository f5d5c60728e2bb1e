//! Plans where the device or the workspace rules something out: what is taken instead, and what is said about it.

use deform::kernel::Storage;
use deform::ops::deform_conv2d::{Algorithm, Geometry, Mode, plan, plan_backward};
use deform::plan::{DeviceKind, DeviceLimits, Plan};
use deform::{Error, Gradients, Options};

use super::case::{PLAIN, Sizes, padded};
use super::plans::{plan_of, subgroups_of_8};

fn backward(sizes: Sizes, options: Options, limits: &DeviceLimits) -> Result<Plan, Error> {
    let shapes = sizes.shapes(&options);
    let geometry = Geometry::new(shapes.map(Vec::as_slice), &options)?;
    plan_backward(&geometry, &Gradients::ALL.map(|_| Mode::Write), &options, limits)
}

#[test]
fn auto_computes_directly_if_there_is_no_workspace() {
    let sizes = Sizes { in_channels: 8, out_channels: 8, kernel: [1, 1], input: [1, 1], ..PLAIN };
    for limits in [DeviceLimits::default(), subgroups_of_8()] {
        let plan = plan_of(sizes, Options { workspace_limit: 0, ..Options::default() }, &limits).unwrap();
        assert_eq!(plan.algorithm, "direct");
        let text = plan.to_string();
        assert!(text.contains("note: not by columns: the workspace_limit is 0 bytes"), "{text}");
        let plan = plan_of(sizes, Options::default(), &subgroups_of_8()).unwrap();
        assert_eq!((plan.algorithm.as_str(), plan.notes.len()), ("fused_subgroup", 0));
    }
}

#[test]
fn auto_says_why_no_algorithm_can_do_it() {
    let limits = DeviceLimits { max_binding_bytes: 256, ..subgroups_of_8() };
    let error = plan_of(PLAIN, padded(), &limits).unwrap_err();
    let Error::Unsuitable { algorithm, reason } = &error else { panic!("{error}") };
    assert_eq!(algorithm, "auto");
    for algorithm in ["fused_subgroup: ", "fused_tiled_32x32: ", "columns: ", "direct: "] {
        assert!(reason.contains(algorithm), "{reason}");
    }

    // The loop over so many taps is too long for the direct algorithm, so memory is needed: the least of all.
    let sizes = Sizes { in_channels: 256, kernel: [11, 11], input: [11, 11], ..PLAIN };
    let options = Options { workspace_limit: 0, ..Options::default() };
    let of = |algorithm| match plan_of(sizes, Options { algorithm, ..options }, &subgroups_of_8()) {
        Err(Error::WorkspaceTooSmall { needed, .. }) => needed,
        other => panic!("{:?}", other.map(|plan| plan.algorithm)),
    };
    assert_eq!(of(Algorithm::Auto), of(Algorithm::Columns).min(of(Algorithm::FusedSubgroup)));
}

#[test]
fn a_plan_that_the_workspace_cuts_into_many_steps_says_so() {
    let sizes = Sizes { in_channels: 64, out_channels: 64, input: [64, 64], ..PLAIN };
    for (workspace_limit, noted) in [(64 << 20, false), (1 << 18, true)] {
        let options = Options { workspace_limit, ..padded() };
        let columns = Options { algorithm: Algorithm::Columns, ..options };
        for plan in [plan_of(sizes, columns, &subgroups_of_8()), backward(sizes, options, &subgroups_of_8())] {
            let plan = plan.unwrap();
            let says = plan.notes.iter().any(|note| note.contains("cuts the call into"));
            assert_eq!(says, noted, "{}: {:?}", plan.algorithm, plan.notes);
        }
        let refused = |options: Options| Options { refuse_slow: true, ..options };
        for plan in
            [plan_of(sizes, refused(columns), &subgroups_of_8()), backward(sizes, refused(options), &subgroups_of_8())]
        {
            let refused =
                matches!(&plan, Err(error @ Error::Slow { .. }) if error.to_string().contains("cuts the call into"));
            assert_eq!(refused, noted, "{plan:?}");
        }
    }
}

/// Rows of a high image are packed in parts.
#[test]
fn an_image_higher_than_a_texture_has_both_passes() {
    let sizes = Sizes { input: [9000, 3], ..PLAIN };
    let fused = Options { algorithm: Algorithm::FusedSubgroup, ..padded() };
    plan_of(sizes, fused, &DeviceLimits { max_texture_axis: 8192, ..subgroups_of_8() }).unwrap();
    backward(sizes, padded(), &DeviceLimits::default()).unwrap();
}

/// An algorithm that samples every tap once for each part of the input's rows says so, and `Auto` takes it for few parts.
#[test]
fn rows_are_cut_into_few_parts_unless_the_algorithm_is_forced() {
    let limits = DeviceLimits { kind: DeviceKind::Cpu, ..subgroups_of_8() };
    let sizes = Sizes { in_channels: 3, out_channels: 8, input: [1000, 1000], ..PLAIN };
    let by = |algorithm, workspace_limit| plan_of(sizes, Options { algorithm, workspace_limit, ..padded() }, &limits);
    let few = by(Algorithm::Auto, 10 << 20).unwrap();
    let many = by(Algorithm::FusedSubgroup, 1 << 20).unwrap();
    for (plan, times) in [(&few, 2), (&many, 16)] {
        assert_eq!(plan.algorithm, "fused_subgroup");
        assert!(plan.notes.iter().any(|note| note.contains(&format!("each tap is sampled {times} times"))), "{plan}");
    }
    let other = by(Algorithm::Auto, 1 << 20).unwrap();
    assert_ne!(other.algorithm, "fused_subgroup");

    // In f16 no rows are cut, and the texture is too high.
    let tall = Sizes { in_channels: 3, out_channels: 64, input: [20_000, 64], ..PLAIN };
    let options = Options { algorithm: Algorithm::FusedSubgroup, ..padded() };
    let geometry = Geometry::new(tall.shapes(&options).map(Vec::as_slice), &options).unwrap();
    let low = DeviceLimits { max_texture_axis: 8192, ..limits };
    let refused = plan(&geometry.stored(Storage::F16), &options, &low);
    assert!(matches!(refused, Err(Error::Unsuitable { .. })), "{refused:?}");
    // So many taps are too many for a loop, also where rows are cut.
    let long = Sizes { in_channels: 3, out_channels: 3, input: [300, 20_000], kernel: [1, 20_000], ..PLAIN };
    let wide = DeviceLimits { max_texture_axis: 32_768, ..limits };
    let refused = plan_of(long, Options { algorithm: Algorithm::FusedSubgroup, ..Options::default() }, &wide);
    assert!(matches!(refused, Err(Error::Unsuitable { .. })), "{refused:?}");
}

/// One to three channels need a smaller window than four.
#[test]
fn a_large_image_of_few_channels_has_gradients() {
    let sizes = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], input: [3000, 3000], ..PLAIN };
    let options = Options { workspace_limit: 1 << 30, ..Options::default() };
    backward(sizes, options, &DeviceLimits::default()).unwrap();
}

#[test]
fn gradients_that_the_device_cannot_compute_name_the_limit() {
    let error = |input| backward(Sizes { input, ..PLAIN }, padded(), &DeviceLimits::default()).unwrap_err().to_string();
    let text = error([3, 8190]);
    for part in ["backward", "texture packed_input 8193×3", "a texture's axis has at most 8192 texels"] {
        assert!(text.contains(part), "{text}");
    }
}
