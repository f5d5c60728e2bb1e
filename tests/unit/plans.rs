//! Plans of the forward pass, made without a device: they keep the limits, compute every product once, and print
//! themselves.

use deform::kernel::Storage;
use deform::kernel::forward::fused_tiled::TILE_K;
use deform::ops::deform_conv2d::{Algorithm, Geometry, Tile, plan};
use deform::plan::{DeviceKind, DeviceLimits, MAX_LOOP_STEPS, Plan, Size, WORKSPACE};
use deform::{Error, Options};

use super::case::{Case, PLAIN, Sizes, depthwise, padded};

pub fn plan_of(sizes: Sizes, options: Options, limits: &DeviceLimits) -> Result<Plan, Error> {
    let shapes = sizes.shapes(&options);
    plan(&Geometry::new(shapes.map(Vec::as_slice), &options)?, &options, limits)
}

/// Returns options with padding for a 3×3 kernel and the algorithm that most of these tests are about.
fn columns() -> Options {
    Options { algorithm: Algorithm::Columns, ..padded() }
}

/// Returns a field of a step's uniform by its name.
pub fn param(step: &deform::plan::Step, name: &str) -> u64 {
    step.param(name).unwrap().into()
}

/// Returns the largest layers of BiRefNet and EDVR, and a layer of ResNeXt with many channels.
fn layers() -> [(Sizes, Options); 3] {
    let birefnet = Sizes { in_channels: 64, out_channels: 256, input: [256, 256], kernel: [7, 7], ..PLAIN };
    let edvr = Sizes { in_channels: 128, out_channels: 128, input: [180, 320], offset_groups: 8, ..PLAIN };
    let resnext = Sizes { in_channels: 1024, out_channels: 1024, input: [50, 84], groups: 32, ..PLAIN };
    [(birefnet, Options { padding: [3, 3], ..columns() }), (edvr, columns()), (resnext, columns())]
}

#[test]
fn windows_and_workspace_keep_their_limits() {
    for (sizes, options) in layers() {
        for (workspace_limit, max_binding_bytes) in [(64 << 20, 128 << 20), (1 << 20, 128 << 20), (64 << 20, 2 << 20)] {
            let limits = DeviceLimits { max_binding_bytes, ..DeviceLimits::default() };
            let plan = plan_of(sizes, Options { workspace_limit, ..options }, &limits).unwrap();
            assert!(plan.workspace_bytes <= workspace_limit.min(max_binding_bytes));
            for step in &plan.steps {
                assert!(step.workgroups.iter().all(|&count| (1..=65_535).contains(&count)), "{step}");
                for window in &step.windows {
                    assert!(window.bytes <= max_binding_bytes && window.start % 256 == 0, "{step}");
                    if window.operand == WORKSPACE {
                        assert!(window.start + window.bytes <= plan.workspace_bytes, "{step}");
                    }
                }
            }
        }
    }
}

/// Returns the limits of a CPU driver with subgroups of 8, such as lavapipe, and with large textures.
pub fn subgroups_of_8() -> DeviceLimits {
    DeviceLimits { subgroup_size: 8, kind: DeviceKind::Cpu, max_texture_axis: 1 << 15, ..DeviceLimits::default() }
}

#[test]
fn fused_plans_keep_their_limits_and_do_every_product_once() {
    let many_segments = Sizes { in_channels: 24_000, offset_groups: 24_000, kernel: [1, 1], input: [1, 1], ..PLAIN };
    let many_taps = Sizes { in_channels: 8, kernel: [1, 9_999], input: [1, 1], ..PLAIN };
    let wide = Options { padding: [0, 4_999], ..columns() };
    let others = [(many_segments, Options { padding: [0, 0], ..columns() }), (many_taps, wide)];
    let mut cut = 0;
    for (sizes, options) in layers().into_iter().chain(others) {
        for divisor in [1, 2, 5] {
            cut += check_fused_subgroup_plan(sizes, Options { workspace_limit: (80 << 20) / divisor, ..options });
        }
    }
    assert!(cut > 5, "only {cut} steps were cut");
}

/// Checks the plan of the fused subgroup algorithm. Returns the number of its steps after which some products are still
/// missing.
fn check_fused_subgroup_plan(sizes: Sizes, options: Options) -> usize {
    let options = Options { algorithm: Algorithm::FusedSubgroup, ..options };
    let plan = plan_of(sizes, options, &subgroups_of_8()).unwrap();
    assert!(plan.memory_bytes() <= options.workspace_limit, "{plan}");
    for scratch in &plan.scratch {
        let Size::Texels([width, height]) = scratch.size else { panic!("{scratch}") };
        assert!(width.max(height) <= 1 << 15, "{scratch}");
    }
    assert_eq!((plan.weight_steps, plan.workspace_bytes), (1, 0));
    // In all of these layers one grouping divides the other.
    let segments = sizes.groups.max(sizes.offset_groups);
    let packs = (sizes.in_channels / segments).div_ceil(4);
    let mut done = vec![vec![0; packs]; segments];
    let mut cut = 0;
    for step in plan.steps.iter().filter(|step| step.kernel().starts_with("forward/fused")) {
        let index = |name| usize::try_from(param(step, name)).unwrap();
        let range = |start, end| index(start)..index(end);
        for segment in &mut done[range("segment_start", "segment_end")] {
            for times in &mut segment[range("pack_start", "pack_end")] {
                *times += 1;
            }
        }
        let per_group = param(step, "segments_per_group");
        let first = param(step, "segment_start") / per_group;
        let groups = (param(step, "segment_end") - 1) / per_group - first + 1;
        assert_eq!(param(step, "group_start"), first);
        assert_eq!(param(step, "blocks"), groups * param(step, "row_blocks") * param(step, "pixel_blocks"));
        cut += usize::from(done.iter().flatten().any(|&times| times == 0));
    }
    assert!(done.iter().flatten().all(|&times| times == 1), "{plan}");
    cut
}

#[test]
fn every_product_is_done_once() {
    for (sizes, options) in layers() {
        for workspace_limit in [64 << 20, 1 << 20, 100_000] {
            let limits = DeviceLimits { max_binding_bytes: 16 << 20, ..DeviceLimits::default() };
            let plan = plan_of(sizes, Options { workspace_limit, ..options }, &limits).unwrap();
            let matmuls = plan.steps.iter().filter(|step| step.kernel() == "forward/matmul");
            let products: u64 = matmuls
                .map(|step| {
                    let groups = param(step, "tiles") / param(step, "row_tiles") / param(step, "column_tiles");
                    groups * param(step, "rows") * param(step, "columns_width") * param(step, "depth")
                })
                .sum();
            let pixels = sizes.input[0] * sizes.input[1];
            let depth = sizes.in_channels / sizes.groups * sizes.kernel[0] * sizes.kernel[1];
            assert_eq!(products, (sizes.batch * pixels * sizes.out_channels * depth) as u64);
        }
    }
}

#[test]
fn a_batch_is_cut_into_chunks_of_whole_images() {
    let sizes = Sizes { batch: 5, ..PLAIN };
    let columns_of_an_image = 4 * 9 * 42 * 4;
    let options = Options { workspace_limit: 3 * columns_of_an_image, ..columns() };
    let plan = plan_of(sizes, options, &DeviceLimits::default()).unwrap();
    let widths: Vec<_> = plan.steps.iter().map(|step| param(step, "columns_width")).collect();
    assert_eq!(widths, [3 * 42, 3 * 42, 2 * 42, 2 * 42]);
    assert_eq!(plan.workspace_bytes, 3 * columns_of_an_image);
}

#[test]
fn a_long_sum_is_cut_below_mesas_loop_limit() {
    let sizes = Sizes { in_channels: 120_000, input: [1, 1], ..PLAIN };
    let plan = plan_of(sizes, columns(), &DeviceLimits::default()).unwrap();
    let depths: Vec<_> = plan.steps.iter().skip(1).map(|step| param(step, "depth")).collect();
    assert_eq!(depths.iter().sum::<u64>(), 1_080_000);
    for depth in depths {
        // The outer loop runs once for every 16 rows. In it a loop multiplies 16 rows.
        assert!(depth.div_ceil(16) * (1 + 17) < MAX_LOOP_STEPS);
    }
    let accumulate: Vec<_> = plan.steps.iter().skip(1).map(|step| param(step, "accumulate")).collect();
    assert!(accumulate[0] == 0 && accumulate[1..].iter().all(|&value| value == 1), "{accumulate:?}");
}

#[test]
fn an_empty_batch_has_an_empty_plan() {
    let plan = plan_of(Sizes { batch: 0, ..PLAIN }, columns(), &DeviceLimits::default()).unwrap();
    assert_eq!(plan, Plan::default());
    let no_workspace = Options { workspace_limit: 0, ..columns() };
    assert_eq!(plan_of(Sizes { batch: 0, ..PLAIN }, no_workspace, &DeviceLimits::default()).unwrap(), plan);
}

#[test]
fn what_no_plan_can_do_is_an_error() {
    let tiny = Options { workspace_limit: 9 * 42 * 4 - 1, ..columns() };
    let error = plan_of(PLAIN, tiny, &DeviceLimits::default()).unwrap_err();
    assert!(matches!(error, Error::WorkspaceTooSmall { needed: 1512, .. }), "{error}");

    let small = DeviceLimits { max_binding_bytes: 1024, ..DeviceLimits::default() };
    let error = plan_of(PLAIN, columns(), &small).unwrap_err();
    assert!(matches!(error, Error::BindingTooLarge { bytes: 1512, limit: 768, .. }), "{error}");

    let wide = Sizes { input: [6000, 6000], in_channels: 1, out_channels: 1, kernel: [1, 1], ..PLAIN };
    let error = plan_of(wide, Options { padding: [0, 0], ..columns() }, &DeviceLimits::default()).unwrap_err();
    assert!(matches!(error, Error::BindingTooLarge { bytes: 144_000_000, limit: 134_217_472, .. }), "{error}");

    let few = DeviceLimits { max_workgroups_per_axis: 2, ..DeviceLimits::default() };
    let error = plan_of(PLAIN, columns(), &few).unwrap_err();
    assert!(matches!(error, Error::TooLarge { got: 5, limit: 2, .. }), "{error}");

    let large = Sizes { input: [2048, 2048], in_channels: 64, ..PLAIN };
    let error =
        plan_of(large, Options { workspace_limit: 9 * 64 * 4, ..columns() }, &DeviceLimits::default()).unwrap_err();
    assert!(matches!(error, Error::TooManySteps { .. }), "{error}");
    // Two chunks whose sums would take millions of steps. They are refused while the steps are counted, before the
    // steps are made.
    let shapes = deform::Inputs {
        input: &[1, 1 << 25, 1, 1][..],
        offset: &[1, 2, 1, 1],
        weight: &[1 << 23, 1 << 25, 1, 1][..],
        mask: None,
        bias: None,
    };
    let geometry = Geometry::new(shapes, &Options { padding: [0, 0], ..columns() }).unwrap();
    let error = plan(&geometry, &Options { padding: [0, 0], ..columns() }, &DeviceLimits::default()).unwrap_err();
    assert!(matches!(error, Error::TooManySteps { steps: 65_537, .. }), "{error}");
}

#[test]
fn an_image_of_4096_by_4096_fits_the_smallest_devices() {
    let sizes = Sizes { in_channels: 3, input: [4096, 4096], ..PLAIN };
    let limits = DeviceLimits::default();
    let plan = plan_of(sizes, columns(), &limits).unwrap();
    assert!(plan.steps.iter().flat_map(|step| &step.windows).all(|window| window.bytes <= limits.max_binding_bytes));
}

#[test]
fn im2col_has_no_more_workgroups_than_its_channels_need() {
    // The workspace holds one of 4,096 channels at a time: one workgroup for each tap and block of pixels.
    let sizes = Sizes { in_channels: 4096, input: [8, 8], ..PLAIN };
    let plan = plan_of(sizes, Options { workspace_limit: 9 * 64 * 4, ..columns() }, &DeviceLimits::default()).unwrap();
    let mut im2col = plan.steps.iter().filter(|step| step.kernel() == "forward/im2col");
    assert!(im2col.all(|step| step.workgroups == [9, 1, 1]));
}

#[test]
fn the_debug_text_of_a_plan_has_no_shaders() {
    let plan = plan_of(PLAIN, columns(), &DeviceLimits::default()).unwrap();
    assert!(format!("{plan:?}").len() < 3000, "{plan:?}");
}

#[test]
fn a_plan_prints_itself() {
    let case = Case::new("plain", PLAIN, columns());
    let printed = plan(&case.geometry(), &case.options, &DeviceLimits::default()).unwrap();
    let expected = "\
columns: 2 steps, workspace 6048 bytes
  forward/im2col 9×1×1 input=input[0..672] offset=offset[0..3024] mask=mask[0..1512] columns=workspace[0..6048]
    in_height=7 in_width=6 out_width=6 out_pixels=42 kernel_width=3 taps=9 stride_h=1 stride_w=1 pad_h=1 pad_w=1 dil_h=1 \
     dil_w=1 pixel_start=0 pixels=42 columns_width=42 pixel_blocks=1 pair_start=0 pairs=9 channels_per_offset_group=4 \
     channel_start=0 channel_end=4 columns_channel_start=0 input_image_stride=0 offset_image_stride=0 \
     mask_image_stride=0 input_base=0 offset_base=0 mask_base=0 has_mask=1
  forward/matmul 1×1×1 weight=weight[0..576] columns=workspace[0..6048] bias=bias[0..16] output=output[0..672]
    rows=4 columns_width=42 depth=36 row_tiles=1 column_tiles=1 tiles=1 pixels=42 weight_row_stride=36 \
     weight_group_stride=0 columns_group_stride=0 output_row_stride=42 output_group_stride=0 output_image_stride=0 \
     weight_base=0 columns_base=0 output_base=0 bias_base=0 bias_group_stride=4 has_bias=1 accumulate=0
";
    assert_eq!(printed.to_string(), expected);

    // The bindings of operands that the call lacks are not printed.
    let sizes = Sizes { mask: false, bias: false, ..PLAIN };
    for algorithm in [Algorithm::Columns, Algorithm::Direct, Algorithm::Depthwise] {
        let case = Case::new("v1 without a bias", sizes, Options { algorithm, ..padded() });
        let case = if algorithm == Algorithm::Depthwise { depthwise(case) } else { case };
        let text = plan(&case.geometry(), &case.options, &DeviceLimits::default()).unwrap().to_string();
        assert!(text.contains(" offset=offset[") && !text.contains(" mask=") && !text.contains(" bias="), "{text}");
    }
}

/// Every pack of every segment is computed once, with several limits of the texture's axis, the binding and the
/// workspace.
#[test]
fn depthwise_plans_do_every_pack_once() {
    let sizes = Sizes {
        in_channels: 60,
        out_channels: 60,
        groups: 60,
        offset_groups: 3,
        input: [30, 31],
        kernel: [2, 2],
        ..PLAIN
    };
    let mut steps = Vec::new();
    for (axis, binding, workspace) in [(8192, 128 << 20, 64 << 20), (100, 1 << 20, 64 << 20), (8192, 240_000, 1 << 16)]
    {
        let cpu = DeviceLimits { kind: DeviceKind::Cpu, ..DeviceLimits::default() };
        let limits = DeviceLimits { max_texture_axis: axis, max_binding_bytes: binding, ..cpu };
        let options = Options { algorithm: Algorithm::Depthwise, workspace_limit: workspace, ..padded() };
        // Three segments of 20 channels, which are 5 packs.
        let mut done = [[0; 5]; 3];
        let plan = plan_of(sizes, options, &limits).unwrap();
        for step in plan.steps.iter().filter(|step| step.kernel().starts_with("forward/depthwise/")) {
            let index = |name| usize::try_from(param(step, name)).unwrap();
            let range = |start, count| index(start)..index(start) + index(count);
            for segment in &mut done[range("segment_start", "segments")] {
                for times in &mut segment[range("pack_start", "segment_packs")] {
                    *times += 1;
                }
            }
        }
        assert_eq!(done, [[1; 5]; 3]);
        steps.push(plan.steps.len());
    }
    assert!(steps[0] < steps[1] && steps[0] < steps[2], "{steps:?}");
    let limits = DeviceLimits { max_texture_axis: 31, kind: DeviceKind::Cpu, ..DeviceLimits::default() };
    let options = Options { algorithm: Algorithm::Depthwise, ..padded() };
    assert!(matches!(plan_of(sizes, options, &limits), Err(Error::Unsuitable { .. })));
}

#[test]
fn tiled_plans_sum_every_block_once() {
    let mut split = 0;
    for (sizes, options) in layers() {
        for (tile, splits) in Tile::ALL.into_iter().flat_map(|tile| [1, 2, 5, 1000].map(|splits| (tile, splits))) {
            for algorithm in tile.algorithms(splits) {
                let parts = check_tiled_plan(sizes, Options { algorithm, ..options });
                split += usize::from(parts > 1);
            }
        }
    }
    assert!(split > 5, "only {split} were split");
}

/// Checks the plan of a tiled algorithm. Returns the number of parts that the sum is split into.
fn check_tiled_plan(sizes: Sizes, options: Options) -> u64 {
    let sizes = Sizes { input: [16, 16], ..sizes };
    let limits = DeviceLimits { max_binding_bytes: 1 << 31, ..DeviceLimits::default() };
    let plan = plan_of(sizes, Options { workspace_limit: 1 << 32, ..options }, &limits).unwrap();
    let packs = matches!(options.algorithm, Algorithm::FusedPacked { .. });
    let step = &plan.steps[1 + usize::from(packs)];
    let segments = sizes.groups.max(sizes.offset_groups);
    let segments_per_group = (segments / sizes.groups) as u64;
    let padded = (sizes.in_channels / segments).next_multiple_of(16) as u64;
    let taps = (sizes.kernel[0] * sizes.kernel[1]) as u64;
    let blocks = segments_per_group * taps * padded / TILE_K;
    let (parts, each) = (param(step, "splits"), param(step, "blocks_per_split"));
    // The last part has blocks, and no block is left over.
    assert!((parts - 1) * each < blocks && blocks <= parts * each, "{blocks} blocks in {parts} parts of {each}");
    // A block is one iteration of a loop with an inner loop, which multiplies.
    assert!((1 + TILE_K + 1) * each < MAX_LOOP_STEPS);
    assert_eq!(plan.steps.len(), 2 + usize::from(packs) + usize::from(parts > 1), "{plan}");
    parts
}

#[test]
fn a_window_holds_twice_as_many_elements_in_f16() {
    // An image has 40,000,000 elements, which exceed a binding of 128 MiB in f32 and fit into it in f16.
    let sizes = Sizes { in_channels: 4, out_channels: 4, input: [4000, 2500], kernel: [1, 1], ..PLAIN };
    let options = Options { algorithm: Algorithm::Direct, ..Options::default() };
    let geometry = Geometry::new(sizes.shapes(&options).map(Vec::as_slice), &options).unwrap();
    let error = plan(&geometry, &options, &DeviceLimits::default()).unwrap_err();
    assert!(matches!(error, Error::BindingTooLarge { bytes: 160_000_000, .. }), "{error}");
    for storage in [Storage::F16, Storage::PackedF16] {
        let plan = plan(&geometry.stored(storage), &options, &DeviceLimits::default()).unwrap();
        assert!(plan.steps[0].windows.iter().all(|window| window.bytes <= 128 << 20), "{plan}");
    }
}

#[test]
fn the_number_of_splits_stays_below_mesas_loop_limit() {
    let sizes = Sizes { in_channels: 23_000, out_channels: 1, input: [8, 8], kernel: [7, 7], ..PLAIN };
    let tiled = Algorithm::FusedTiled { tile: Tile::M64N64, splits: 100_000 };
    let options = Options { padding: [3, 3], algorithm: tiled, ..Options::default() };
    let plan = plan_of(sizes, options, &DeviceLimits::default()).unwrap();
    let reduce = plan.steps.last().unwrap();
    assert_eq!(reduce.kernel(), "forward/reduce");
    assert!((30_000..MAX_LOOP_STEPS).contains(&param(reduce, "splits")), "{reduce}");
}
