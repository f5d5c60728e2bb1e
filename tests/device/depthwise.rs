//! Convolutions with weight groups of few channels, most of them depthwise, which have their own kernels: forward and all
//! gradients, with the same table, geometries and identities as the other convolutions.

use deform::ops::deform_conv2d::{Algorithm, BorderGradient, Mode, Operand};
use deform::{DeformConv2d, Dtype, Error, Gradients, Options};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use crate::backward::{all, check_gradients, plan_of, run_backward};
use crate::device::{
    check, check_on, forward_plan, gpu, large_gpu, least_workspace, operator, run, say, upload, upload_to,
};
use crate::forward::{geometries, table};
use crate::gradients::{check_added, check_subsets, check_with_small_limits, small_limits_gpu};
use crate::support::case::{Case, PLAIN, Sizes, depthwise, padded, small_groups};
use crate::support::compare::compare;

/// Input and output channels of weight groups. Every number of input channels, and output channels that fill some blocks
/// of the kernels, that leave a rest, and that need several blocks.
const GROUPS: [[usize; 2]; 8] = [[1, 1], [1, 2], [1, 7], [2, 2], [2, 3], [3, 3], [4, 1], [4, 5]];

fn case(name: &str, sizes: Sizes, options: Options) -> Case {
    depthwise(Case::new(name, sizes, options))
}

#[test]
fn the_depthwise_table_meets_the_reference() {
    for [channels, rows] in GROUPS {
        let table: Vec<_> = table().into_iter().map(|case| small_groups(case, channels, rows)).collect();
        let worst = table.iter().map(check).fold(0.0, f64::max);
        let gradients = table.iter().map(check_gradients).fold(0.0, f64::max);
        say(&format!("groups of {channels}→{rows}: worst error {worst:.3} of its bound, of gradients {gradients:.3}"));
    }
}

/// On GPUs the packed operands lie in buffers, and `Auto` takes the algorithm for all of the table.
#[test]
fn the_depthwise_table_meets_the_reference_in_buffers() {
    for [channels, rows] in GROUPS {
        let table: Vec<_> = table().into_iter().map(|case| small_groups(case, channels, rows)).collect();
        for algorithm in [Algorithm::Depthwise, Algorithm::Auto] {
            let by = |case: &Case| case.clone().by(algorithm);
            let worst = table.iter().map(|case| check_on(large_gpu(), &by(case))).fold(0.0, f64::max);
            say(&format!("groups of {channels}→{rows} by {algorithm} in buffers: worst error {worst:.3} of its bound"));
        }
    }
    let case = case("buffers", Sizes { batch: 3, in_channels: 24, ..PLAIN }, padded());
    let mut steps = Vec::new();
    for limit in [64 << 20, 8 << 10, 4 << 10] {
        let options = Options { workspace_limit: limit, ..case.options };
        let prepared = large_gpu().prepare(&case.shape_slices(), Dtype::F32, options).unwrap();
        steps.push(prepared.plan().steps.iter().filter(|step| step.kernel().ends_with("_buffers")).count());
        check_on(large_gpu(), &Case { options, ..case.clone() });
    }
    assert!(steps[0] == 1 && steps[1] > 1 && steps[2] == 0, "{steps:?}");
}

/// The texture of the packed weight has two rows of texels, and something else behind the last texel.
#[test]
fn a_weight_of_two_rows_of_texels_meets_the_reference() {
    let sizes = Sizes { in_channels: 1024, input: [5, 5], kernel: [5, 5], mask: false, ..PLAIN };
    let case = depthwise(Case::new("two rows", sizes, Options { padding: [2, 2], ..Options::default() }));
    check(&case);
    check_gradients(&case);
}

#[test]
fn random_depthwise_geometries_meet_the_reference() {
    let config = Config { cases: 200, rng_seed: RngSeed::Fixed(13), failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let worst = std::cell::Cell::new(0.0);
    let outcome = runner.run(&(geometries(), 0u32..4, 0..GROUPS.len()), |((sizes, options), shrink, groups)| {
        let [channels, rows] = GROUPS[groups];
        let mut case = small_groups(Case::new("random", sizes, options), channels, rows);
        let whole = forward_plan(&case).memory_bytes();
        case.options.workspace_limit = (whole >> shrink).max(least_workspace(&case));
        worst.set(f64::max(worst.get(), check(&case)));
        worst.set(f64::max(worst.get(), check_on(large_gpu(), &case)));
        case.options.workspace_limit = options.workspace_limit;
        let whole = plan_of(&case).memory_bytes();
        case.options.workspace_limit = (whole >> shrink).max(crate::backward::least_workspace(&case));
        worst.set(f64::max(worst.get(), check_gradients(&case)));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    say(&format!("200 random depthwise geometries: worst error {:.3} of its bound", worst.get()));
}

/// The workspaces are so small that pixels are cut, and then channels.
#[test]
fn depthwise_meets_the_reference_from_the_least_workspace_up() {
    // Offset groups of 24, 8 and 3 channels, and one with more packs than an invocation computes.
    let layers = [(24, 1, [1, 1]), (24, 3, [1, 1]), (24, 8, [1, 1]), (80, 1, [1, 1]), (24, 1, [2, 3]), (40, 2, [4, 2])];
    for (channels, offset_groups, [group_channels, rows]) in layers {
        let sizes = Sizes { batch: 2, in_channels: channels, offset_groups, input: [20, 19], ..PLAIN };
        let mut case = small_groups(Case::new("least workspace", sizes, padded()), group_channels, rows);
        let (least, whole) = (least_workspace(&case), forward_plan(&case).memory_bytes());
        assert!(least < whole / 2, "nothing is cut");
        let mut steps = Vec::new();
        for limit in [least, least + (whole - least) / 3, whole] {
            case.options.workspace_limit = limit;
            assert!(forward_plan(&case).memory_bytes() <= limit);
            steps.push(forward_plan(&case).steps.len());
            check(&case);
        }
        assert!(steps.is_sorted_by(|less, more| less > more), "{steps:?}");
        case.options.workspace_limit = 64 << 20;
        let (least, whole) = (crate::backward::least_workspace(&case), plan_of(&case).memory_bytes());
        let mut steps = Vec::new();
        for limit in [least, least + (whole - least) / 4, (least + whole) / 2, whole] {
            case.options.workspace_limit = limit;
            assert!(plan_of(&case).memory_bytes() <= limit);
            steps.push(plan_of(&case).steps.len());
            check_gradients(&case);
        }
        assert!(steps.first() > steps.last(), "{steps:?}");
    }
}

#[test]
fn depthwise_identities_hold() {
    let sizes = Sizes { batch: 2, in_channels: 6, offset_groups: 2, ..PLAIN };
    let pixels = 7 * 6;
    let bias_alone = |case: &Case| {
        let bias = case.operands.bias.clone().unwrap();
        assert_eq!(run(case), (0..12 * pixels).map(|at| bias[at / pixels % 6]).collect::<Vec<_>>());
    };
    let mut masked = case("mask 0", sizes, padded());
    masked.operands.mask.as_mut().unwrap().fill(0.0);
    bias_alone(&masked);
    for offset in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -100.0] {
        let case = case("nowhere", sizes, padded()).with_offsets(|_, _| offset);
        bias_alone(&case);
        let grads = run_backward(&case, &case.grad_output(), all(&case));
        for grad in [grads.offset, grads.mask, grads.weight, grads.input] {
            assert!(grad.unwrap().iter().all(|&value| value == 0.0), "{offset}");
        }
    }
    let plain = case("bits", sizes, padded());
    assert!(run(&plain) == run(&plain));
    check_subsets(&plain);
}

/// Four channels share a texel, but a NaN in one must not reach another weight group.
#[test]
fn a_nan_reaches_only_its_weight_group() {
    let layers = [
        (1, 1, [1, 1]),
        (2, 1, [1, 1]),
        (2, 2, [1, 1]),
        (4, 2, [1, 1]),
        (3, 1, [1, 2]),
        (5, 1, [1, 1]),
        (6, 2, [1, 1]),
        (6, 1, [2, 3]),
        (6, 2, [3, 2]),
        (8, 2, [4, 2]),
    ];
    for (channels, offset_groups, [group_channels, rows]) in layers {
        let sizes = Sizes { in_channels: channels, offset_groups, ..PLAIN };
        let plain = small_groups(Case::new("NaN", sizes, padded()), group_channels, rows);
        let (pixels, group_weights) = (7 * 6, group_channels * rows * 9);
        for channel in 0..channels {
            let group = channel / group_channels;
            let mut image = plain.clone();
            image.operands.input[channel * pixels..(channel + 1) * pixels].fill(f32::NAN);
            let mut weight = plain.clone();
            weight.operands.weight[group * group_weights..(group + 1) * group_weights].fill(f32::NAN);
            let got = run_backward(&weight, &plain.grad_output(), all(&plain));
            let offset_group = channel * offset_groups / channels;
            for (operand, parts, touched) in [
                (Operand::Input, channels / group_channels, group),
                (Operand::Offset, offset_groups, offset_group),
                (Operand::Mask, offset_groups, offset_group),
            ] {
                let values = got[operand].as_ref().unwrap();
                let part = values.len() / parts;
                assert!((0..values.len()).all(|n| n / part == touched || values[n].is_finite()), "{operand}");
            }
            for case in [image, weight] {
                let output = run(&case);
                let size = rows * pixels;
                assert!((0..output.len()).all(|at| at / size == group || output[at].is_finite()));
                assert!(
                    output[group * size..(group + 1) * size].chunks(pixels).all(|row| row.iter().any(|v| v.is_nan()))
                );
            }
        }
        let out_channels = channels / group_channels * rows;
        for channel in 0..out_channels {
            let mut grad = plain.grad_output();
            grad[channel * pixels..(channel + 1) * pixels].fill(f32::NAN);
            let got = run_backward(&plain, &grad, all(&plain));
            for (operand, values) in got.iter() {
                let values = values.as_ref().unwrap();
                let (parts, touched) = match operand {
                    Operand::Input => (channels / group_channels, channel / rows),
                    Operand::Weight | Operand::Bias => (out_channels, channel),
                    Operand::Offset | Operand::Mask => (offset_groups, channel * offset_groups / out_channels),
                };
                let part = values.len() / parts;
                assert!((0..values.len()).all(|n| n / part == touched || values[n].is_finite()), "{operand}");
                assert!(values.iter().any(|value| value.is_nan()), "{operand}");
            }
        }
    }
}

#[test]
fn a_packed_depthwise_weight_is_not_packed_again() {
    let case = case("packed weight", PLAIN, padded());
    let inputs = upload(&case);
    let inputs = inputs.as_ref();
    let prepared = operator().prepare(&inputs.shapes(), Dtype::F32, case.options).unwrap();
    let weight = prepared.pack_weight(inputs.weight).unwrap();
    gpu().queue().write_buffer(inputs.weight.buffer(), 0, &[0; 4 * 9 * 4]);
    let output = operator().forward(&inputs.with_weight(&weight), case.options).unwrap();
    assert!(output.download::<f32>().unwrap() == run(&case));
}

#[test]
fn the_depthwise_algorithm_refuses_other_convolutions() {
    let options = Options { algorithm: Algorithm::Depthwise, ..padded() };
    // Too many output channels, three input channels beside others, and offset groups that cut weight groups.
    let refused = [
        Sizes { groups: 4, out_channels: 36, ..PLAIN },
        Sizes { in_channels: 6, groups: 2, out_channels: 2, ..PLAIN },
        Sizes { offset_groups: 2, ..PLAIN },
    ];
    for sizes in refused {
        let case = Case::new("groups", sizes, options);
        let forward = operator().prepare(&case.shape_slices(), Dtype::F32, options).unwrap_err();
        assert!(matches!(forward, Error::Unsuitable { .. }), "{forward}");
        let modes = Gradients::ALL.map(|_| Mode::Write);
        let backward = operator().prepare_backward(&case.shape_slices(), Dtype::F32, modes, options).unwrap_err();
        assert!(matches!(backward, Error::Unsuitable { .. }), "{backward}");
    }
}

/// Auto takes the depthwise kernels for the gradients, on every device.
#[test]
fn auto_computes_small_groups_without_a_product() {
    for [channels, rows] in GROUPS {
        let sizes = Sizes { in_channels: if channels == 3 { 6 } else { 8 }, offset_groups: 2, ..PLAIN };
        let mut case = small_groups(Case::new("auto", sizes, padded()), channels, rows);
        case.options.algorithm = Algorithm::Auto;
        assert_eq!(plan_of(&case).algorithm, "backward_depthwise");
        check(&case);
        check_gradients(&case);
    }
}

#[test]
fn depthwise_gradients_can_be_added_and_take_mmcvs_border() {
    let options = Options { border_gradient: BorderGradient::Mmcv, ..padded() };
    let case = case("border", Sizes { in_channels: 6, offset_groups: 2, ..PLAIN }, options).with_offsets(|_, _| 0.0);
    check_gradients(&case);
    check_added(&case);
}

#[test]
fn depthwise_meets_the_reference_on_a_device_with_small_limits() {
    let gpu = small_limits_gpu();
    let sizes = Sizes { batch: 2, in_channels: 48, offset_groups: 3, input: [36, 35], ..PLAIN };
    for [channels, rows] in [[1, 1], [2, 2]] {
        let case = small_groups(Case::new("small limits", sizes, padded()), channels, rows);
        assert!(check_with_small_limits(&gpu, 128 << 10, &case));
    }
    // The forward pass binds the whole output of an image, which must be smaller here.
    let narrow = Case::new(
        "small limits",
        Sizes { in_channels: 24, input: [36, 35], mask: false, kernel: [2, 2], ..PLAIN },
        padded(),
    );
    let narrow = depthwise(narrow);
    let output = DeformConv2d::new(&gpu).forward(&upload_to(&gpu, &narrow).as_ref(), narrow.options).unwrap();
    let (want, bounds) = narrow.expected();
    compare(&output.download::<f32>().unwrap(), &want, &bounds).unwrap();
}

/// Mesa counts the iterations of a loop once for the 8 lanes of a vector and ends the loop after 65,535. If the lanes
/// of a vector belonged to several offset groups, whose entries lie in different cells, they would run the iterations
/// of each group one after the other.
#[test]
fn offset_groups_that_land_far_apart_meet_the_reference() {
    let (width, taps) = (5300, 33);
    let sizes = Sizes { in_channels: 64, offset_groups: 8, input: [1, width], kernel: [1, taps], ..PLAIN };
    let case = case("far apart", sizes, Options { padding: [0, taps / 2], ..Options::default() });
    let case = case.with_offsets(|at, _| {
        let whole = (at.x + at.tap[1]) as f32 - (taps / 2) as f32;
        if at.axis == 0 { 0.0 } else { 300.5 + 600.0 * at.group as f32 - whole }
    });
    check_gradients(&case);
}
