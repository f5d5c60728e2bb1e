//! Compares the device with the reference, on a table of cases and on random geometries.

use deform::ops::deform_conv2d::{Algorithm, Tile};
use deform::{DeformConv2d, Dtype, Error, Options, wgpu};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner};

use crate::device::{
    algorithms, callers_gpu, check, check_on, distinct_algorithms, forward_plan, large_gpu, least_workspace, operator,
    say,
};
use crate::support::case::{Case, PLAIN, Sizes, padded};

/// Returns cases one below, at and one above the size of each tile: 64 pixels, 64 output channels, 16 column rows, 16
/// channels of an im2col invocation.
fn tile_boundaries() -> Vec<Case> {
    let pixels = [[7, 9], [8, 8], [5, 13], [1, 127], [128, 1]];
    let channels = [(1, 1), (15, 63), (16, 64), (17, 65), (33, 129)];
    let kernels = [[1, 1], [3, 3], [4, 4], [1, 17]];
    let mut cases = Vec::new();
    for (n, input) in pixels.into_iter().enumerate() {
        for (in_channels, out_channels) in channels {
            let kernel = kernels[n % kernels.len()];
            let options = Options { padding: [kernel[0] / 2, kernel[1] / 2], ..Options::default() };
            let name = format!("{in_channels}→{out_channels} {kernel:?} at {input:?}");
            cases.push(Case::new(&name, Sizes { in_channels, out_channels, input, kernel, ..PLAIN }, options));
        }
    }
    cases
}

fn groupings() -> Vec<Case> {
    let sizes = |groups, offset_groups| Sizes { in_channels: 12, out_channels: 12, groups, offset_groups, ..PLAIN };
    let pairs = [(1, 1), (2, 1), (1, 2), (2, 3), (3, 2), (4, 6), (12, 1), (1, 12), (12, 12)];
    let case = |(groups, offset_groups)| {
        Case::new(&format!("groups {groups}, offset groups {offset_groups}"), sizes(groups, offset_groups), padded())
    };
    // Two tiles of every height in each group.
    let high = Sizes { in_channels: 6, out_channels: 260, groups: 2, kernel: [2, 1], ..PLAIN };
    pairs.into_iter().map(case).chain([Case::new("2 groups of 130 output channels", high, padded())]).collect()
}

fn layouts() -> Vec<Case> {
    let options = |stride, padding, dilation| Options { stride, padding, dilation, ..Options::default() };
    let rectangle = Sizes { kernel: [3, 2], input: [13, 14], ..PLAIN };
    vec![
        Case::new("asymmetric everything", rectangle, options([2, 3], [2, 1], [1, 2])),
        Case::new("wide padding", PLAIN, options([1, 1], [4, 5], [1, 1])),
        Case::new("wide stride", Sizes { input: [30, 31], ..PLAIN }, options([7, 9], [0, 0], [1, 1])),
        Case::new("wide dilation", Sizes { input: [30, 31], ..PLAIN }, options([1, 1], [3, 2], [9, 11])),
        Case::new("one pixel", Sizes { input: [1, 1], ..PLAIN }, padded()),
        Case::new("v1", Sizes { mask: false, ..PLAIN }, padded()),
        Case::new("no bias", Sizes { bias: false, ..PLAIN }, padded()),
        Case::new("v1, no bias", Sizes { mask: false, bias: false, ..PLAIN }, padded()),
        Case::new("far offsets", Sizes { reach: 40.0, ..PLAIN }, padded()),
    ]
}

/// Returns cases with offsets that put taps exactly on the borders, and with offsets that are not finite.
fn offsets() -> Vec<Case> {
    let plain = |name| Case::new(name, PLAIN, padded());
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, f32::MAX, f32::MIN, 3e9, -3e9, 0.25];
    vec![
        plain("zero offsets").with_offsets(|_, _| 0.0),
        plain("whole offsets").with_offsets(|_, value| value.round()),
        // Over all output pixels and taps, the positions take every border value, including −1, 0, height − 1 and
        // height.
        plain("borders").with_offsets(|at, _| [-7.0, -6.0, -1.0, 0.0, 1.0, 6.0, 7.0][at.index % 7]),
        plain("just inside the borders").with_offsets(|at, _| [-0.999, 0.999, -6.999, 6.999][at.index % 4]),
        plain("not finite").with_offsets(move |at, _| special[at.index % special.len()]),
    ]
}

/// Returns cases of many images with few pixels each.
fn batches() -> Vec<Case> {
    vec![
        Case::new("images of one pixel", Sizes { batch: 130, input: [1, 1], ..PLAIN }, padded()),
        Case::new("images of three pixels", Sizes { batch: 43, input: [1, 3], ..PLAIN }, padded()),
        Case::new("a batch of 33", Sizes { batch: 33, input: [5, 4], ..PLAIN }, padded()),
    ]
}

/// Returns the case table.
pub fn table() -> Vec<Case> {
    [tile_boundaries(), groupings(), layouts(), offsets(), batches()].concat()
}

#[test]
fn the_table_meets_the_reference() {
    let table = table();
    for algorithm in algorithms() {
        let worst = table.iter().map(|case| check(&case.clone().by(algorithm))).fold(0.0, f64::max);
        say(&format!("case table by {algorithm:?}: {} cases, worst error {worst:.3} of its bound", table.len()));
    }
}

#[test]
fn the_table_meets_the_reference_by_what_a_gpu_takes() {
    let worst = table().iter().map(|case| check_on(large_gpu(), case)).fold(0.0, f64::max);
    say(&format!("case table planned for a large GPU: worst error {worst:.3} of its bound"));
}

/// The workspaces are so small that pixels are cut, then groups, then channels, then images.
#[test]
fn every_workspace_from_the_least_up_meets_the_reference() {
    let sizes = Sizes { batch: 3, in_channels: 24, out_channels: 24, input: [20, 19], ..PLAIN };
    // Segments of 4, 8, 12 and 3 channels; the last are no whole packs.
    let cases =
        [(2, 3), (1, 3), (2, 1), (8, 1)].map(|(groups, offset_groups)| Sizes { groups, offset_groups, ..sizes });
    let with_memory = algorithms().into_iter().filter(|algorithm| match algorithm {
        Algorithm::Columns | Algorithm::FusedSubgroup => true,
        Algorithm::FusedTiled { splits, .. } | Algorithm::FusedPacked { splits, .. } => *splits == 3,
        _ => false,
    });
    for (algorithm, sizes) in with_memory.flat_map(|algorithm| cases.map(|sizes| (algorithm, sizes))) {
        let mut case = Case::new("least workspace", sizes, Options { algorithm, ..padded() });
        let whole = forward_plan(&case).memory_bytes();
        let least = least_workspace(&case);
        assert!(least < whole / 2, "nothing is cut");
        let mut plans = Vec::new();
        for limit in (0..).map(|n| least + n * whole / 9).take_while(|&limit| limit <= whole) {
            case.options.workspace_limit = limit;
            let plan = forward_plan(&case);
            assert!(plan.memory_bytes() <= limit, "{} bytes in {limit}", plan.memory_bytes());
            plans.push(plan.steps.len());
            check(&case);
        }
        assert!(plans.is_sorted_by(|less, more| less >= more) && plans.first() > plans.last(), "{plans:?}");
    }
}

/// Returns a strategy for random sizes and options that fit each other.
pub fn geometries() -> impl Strategy<Value = (Sizes, Options)> {
    let sizes = (1usize..4, 1usize..4, 1usize..5, 1usize..4, (1usize..12, 1usize..12), (1usize..5, 1usize..5));
    let layout = ([1usize..4, 1usize..4], [0usize..4, 0usize..4], [1usize..4, 1usize..4]);
    let choices = (any::<bool>(), any::<bool>(), prop_oneof![Just(0.0f32), 0.1f32..20.0]);
    (sizes, layout, choices).prop_map(|(sizes, (stride, padding, dilation), (mask, bias, reach))| {
        let (batch, groups, per_group, offset_groups, (height, width), (kernel_height, kernel_width)) = sizes;
        // The channels must be a multiple of both groupings, and the dilated kernel must fit into the padded input.
        let in_channels = groups * offset_groups * per_group;
        let least = |axis: usize, kernel: usize| (dilation[axis] * (kernel - 1) + 1).saturating_sub(2 * padding[axis]);
        let input = [height.max(least(0, kernel_height)), width.max(least(1, kernel_width))];
        let kernel = [kernel_height, kernel_width];
        let out_channels = groups * per_group;
        let reach = f32::max(reach, 1e-3);
        let sizes = Sizes { batch, in_channels, input, out_channels, kernel, groups, offset_groups, mask, bias, reach };
        (sizes, Options { stride, padding, dilation, ..Options::default() })
    })
}

#[test]
fn random_geometries_meet_the_reference() {
    let tile = (prop::sample::select(Tile::ALL.to_vec()), 1u32..5);
    let config = Config { cases: 400, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let worst = std::cell::Cell::new(0.0);
    let outcome = runner.run(&(geometries(), 0u32..4, tile), |((sizes, options), shrink, (tile, splits))| {
        for algorithm in distinct_algorithms().into_iter().chain(tile.algorithms(splits)) {
            let mut case = Case::new("random", sizes, Options { algorithm, ..options });
            // The whole memory, half of it, and so on, but never less than the least that suffices.
            let whole = forward_plan(&case).memory_bytes();
            case.options.workspace_limit = (whole >> shrink).max(least_workspace(&case));
            worst.set(f64::max(worst.get(), check(&case)));
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    say(&format!("400 random geometries: worst error {:.3} of its bound", worst.get()));
}

#[test]
fn more_workgroups_than_one_axis_holds_are_folded() {
    // With a 1×1 kernel and one channel, 2,049 × 2,049 pixels in workgroups of 64 make 65,601 workgroups for im2col and
    // for matmul.
    let sizes = Sizes { in_channels: 1, out_channels: 1, input: [2049, 2049], kernel: [1, 1], ..PLAIN };
    let options = Options { algorithm: Algorithm::Columns, ..Options::default() };
    let case = Case::new("65,601 workgroups", sizes, options);
    let plan = forward_plan(&case);
    assert!(plan.steps.iter().all(|step| step.workgroups[1] == 2), "{plan}");
    check(&case);
}

/// 11 tiles of 32 columns, and twice as many with splits, do not fill the grid into which 7 workgroups an axis fold them.
#[test]
fn spare_workgroups_of_a_folded_grid_write_nothing() {
    let limits = wgpu::Limits { max_compute_workgroups_per_dimension: 7, ..wgpu::Limits::default() };
    let operator = DeformConv2d::new(&callers_gpu(limits));
    let sizes = Sizes { in_channels: 20, input: [11, 32], kernel: [1, 1], ..PLAIN };
    for (splits, algorithm) in
        [1, 2].into_iter().flat_map(|n| Tile::M32N32.algorithms(n).map(|algorithm| (n, algorithm)))
    {
        let case = Case::new("spare workgroups", sizes, Options { algorithm, ..Options::default() });
        let prepared = operator.prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap();
        let tiled = prepared.plan().steps.iter().find(|step| step.kernel().starts_with("forward/fused_tiled")).unwrap();
        assert!(tiled.workgroups[0] * tiled.workgroups[1] > 11 * splits && tiled.workgroups[1] > 1, "{tiled}");
        check_on(&operator, &case);
    }
}

#[test]
fn sums_longer_than_mesas_loops_meet_the_reference() {
    // 120,000 channels with a 3×3 kernel have 1,080,000 column rows. These are 67,500 iterations of matmul's outer loop
    // alone, and as many of the tiled algorithm's.
    let sizes = Sizes { in_channels: 120_000, out_channels: 2, input: [1, 1], ..PLAIN };
    let tiled = Tile::M64N64.algorithms(1);
    for algorithm in [Algorithm::Columns].into_iter().chain(tiled) {
        let options = Options { algorithm, workspace_limit: 128 << 20, ..padded() };
        check(&Case::new("1,080,000 terms", sizes, options));
    }
    // 13,000 segments of one channel need as many loops. The direct algorithm, whose sum cannot be cut, must refuse
    // them.
    let sizes = Sizes { in_channels: 13_000, offset_groups: 13_000, kernel: [1, 1], input: [1, 1], ..PLAIN };
    for algorithm in distinct_algorithms().into_iter().chain(tiled) {
        let case = Case::new("13,000 segments", sizes, Options { algorithm, ..Options::default() });
        if algorithm == Algorithm::Direct {
            let error = operator().prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap_err();
            assert!(matches!(error, Error::Unsuitable { .. }), "{error}");
        } else {
            check(&case);
        }
    }
}
