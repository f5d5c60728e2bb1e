//! Plans of images that no binding holds.

use deform::Options;
use deform::ops::deform_conv2d::{Algorithm, Geometry, Mode, plan, plan_backward};
use deform::plan::{DeviceKind, DeviceLimits, Plan, Step};
use deform::{Error, Gradients};

use super::case::{PLAIN, Sizes, padded};
use super::plans::{param, subgroups_of_8};

const ALL: Gradients<Mode> =
    Gradients { input: Mode::Write, offset: Mode::Write, weight: Mode::Write, mask: Mode::Write, bias: Mode::Write };

fn both(sizes: Sizes, options: Options, limits: &DeviceLimits) -> [Result<Plan, Error>; 2] {
    let shapes = sizes.shapes(&options);
    let geometry = Geometry::new(shapes.map(Vec::as_slice), &options).unwrap();
    [plan(&geometry, &options, limits), plan_backward(&geometry, &ALL, &options, limits)]
}

/// A frame of 1080p has an offset of 142 MiB. WebGPU's default bindings hold 128 MiB.
#[test]
fn a_frame_is_planned_forward_and_backward_on_default_limits() {
    let gpu = DeviceLimits { kind: DeviceKind::DiscreteGpu, ..DeviceLimits::default() };
    let frame = Sizes { in_channels: 3, out_channels: 3, input: [1080, 1920], ..PLAIN };
    for batch in [1, 2] {
        for limits in [DeviceLimits::default(), gpu, subgroups_of_8()] {
            let [forward, backward] = both(Sizes { batch, ..frame }, padded(), &limits);
            for (plan, most_steps) in [(forward.unwrap(), 64), (backward.unwrap(), 2_200)] {
                assert!(plan.memory_bytes() <= padded().workspace_limit, "{plan}");
                assert!(plan.steps.len() <= most_steps * batch, "{}: {} steps", plan.algorithm, plan.steps.len());
            }
        }
    }
}

/// The algorithm for subgroups of 8 binds some taps and some output channels at a time, and copies nothing.
#[test]
fn the_fused_algorithm_cuts_taps_and_output_channels() {
    let image = |channels: [usize; 2], side: usize, kernel| {
        let [in_channels, out_channels] = channels;
        Sizes { in_channels, out_channels, input: [side, side], kernel, ..PLAIN }
    };
    // The steps' taps and output channels, of one pack of the input.
    for (sizes, expected) in [
        (image([3, 3], 1400, [3, 3]), vec![(0..8, 0..3), (8..9, 0..3)]),
        (image([4, 33], 1024, [3, 3]), vec![(0..9, 0..31), (0..9, 31..33)]),
        // An image of exactly 128 MiB.
        (image([4, 32], 1024, [3, 3]), vec![(0..9, 0..32)]),
        (image([4, 256], 512, [1, 1]), (0..4).map(|n| (0..1, 64 * n..64 * (n + 1))).collect()),
    ] {
        let [forward, _] = both(sizes, Options { padding: sizes.kernel.map(|k| k / 2), ..padded() }, &subgroups_of_8());
        let forward = forward.unwrap();
        let fused = forward.steps.iter().filter(|step| step.kernel().starts_with("forward/fused_subgroup"));
        let range = |step: &Step, of: &str| param(step, &format!("{of}_start"))..param(step, &format!("{of}_end"));
        let parts: Vec<_> = fused.map(|step| (range(step, "tap"), range(step, "row"))).collect();
        assert_eq!(parts, expected, "{forward}");
        let windows = forward.steps.iter().flat_map(|step| &step.windows);
        let buffers = windows.into_iter().filter(|window| !window.operand.starts_with("packed"));
        assert!(buffers.into_iter().all(|window| window.bytes <= subgroups_of_8().max_binding_bytes), "{forward}");
    }
}

/// The bands of an image pack its input once, and all bands pack the weight once.
#[test]
fn the_bands_of_an_image_share_its_packed_input() {
    let frame = Sizes { batch: 2, in_channels: 3, out_channels: 3, input: [1080, 1920], ..PLAIN };
    let [_, backward] = both(frame, padded(), &subgroups_of_8());
    let plan = backward.unwrap();
    let steps = |kernel: &str| plan.steps.iter().filter(|step| step.kernel() == kernel).count();
    assert_eq!([steps("convolution/pack_input"), steps("convolution/pack_weight_depthwise/texture")], [2, 1], "{plan}");
    assert!(steps("convolution/copy_rows") > 4, "{plan}");
}

/// Four channels of these images do not fit into the default workspace as a texture.
#[test]
fn images_of_which_no_pack_fits_into_the_workspace_are_planned_in_both_passes() {
    let image = |channels, input, kernel| Sizes {
        in_channels: channels,
        out_channels: channels,
        input,
        kernel,
        mask: false,
        ..PLAIN
    };
    for (sizes, most_steps) in [
        (image(3, [2160, 3840], [1, 1]), [8, 1_500]),
        (image(3, [2160, 3840], [3, 3]), [100, 20_000]),
        (image(16, [2048, 2048], [3, 3]), [100, 25_000]),
    ] {
        let options = Options { padding: sizes.kernel.map(|k| k / 2), ..padded() };
        let plans = both(sizes, options, &subgroups_of_8()).map(Result::unwrap);
        for (plan, most_steps) in plans.into_iter().zip(most_steps) {
            assert!(plan.memory_bytes() <= options.workspace_limit, "{plan}");
            let packed = plan.steps.iter().filter(|step| step.kernel() == "convolution/pack_input");
            let rows = packed.map(|step| param(step, "rows")).max().unwrap();
            assert!(rows < sizes.input[0] as u64, "{rows}");
            assert!(plan.steps.len() <= most_steps, "{}: {} steps", plan.algorithm, plan.steps.len());
        }
    }
}

/// The error for a workspace that is too small has a size that suffices.
#[test]
fn the_least_workspace_is_named_and_suffices() {
    let limits = DeviceLimits { max_binding_bytes: 64 << 10, ..subgroups_of_8() };
    let sizes = Sizes { input: [53, 57], out_channels: 7, ..PLAIN };
    for (algorithm, pass) in [(Algorithm::Direct, 0), (Algorithm::Columns, 1)] {
        let by = |workspace_limit| {
            let options = Options { algorithm, workspace_limit, ..padded() };
            both(sizes, options, &limits).into_iter().nth(pass).unwrap()
        };
        let Err(Error::WorkspaceTooSmall { needed, .. }) = by(0) else { panic!("{algorithm}") };
        let least = by(needed).unwrap();
        assert!(least.memory_bytes() <= needed && least.notes.iter().any(|note| note.contains("bands")), "{least}");
        assert!(by(4 * needed).unwrap().steps.len() < least.steps.len());
    }
}
