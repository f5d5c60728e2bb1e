//! The loops of the kernels. Mesa's CPU driver up to version 24.3 ends a loop without an error once an invocation has
//! used 65,535 iterations, so no plan may need more: see [`MAX_LOOP_STEPS`].

use std::collections::{BTreeMap, BTreeSet};

use deform::kernel::{KERNELS, Sampling};
use deform::ops::conv2d;
use deform::ops::deform_conv2d::{Algorithm, Geometry, Mode, Tile, plan, plan_backward};
use deform::plan::{DeviceKind, DeviceLimits, MAX_LOOP_STEPS, Plan, Step};
use deform::{Gradients, Options};
use naga::{Function, Statement};

use super::case::{PLAIN, Sizes};
use super::kernels::{constants, module};
use super::plans::{param, subgroups_of_8};

/// The iterations after which the driver ends the loops of an invocation.
const DRIVER_LIMIT: u64 = 65_535;

/// A step, the constants of its kernel, and the step before it that packs taps.
struct Call<'a> {
    step: &'a Step,
    constants: &'a BTreeMap<String, u64>,
    pack_taps: Option<&'a Step>,
}

impl Call<'_> {
    /// Returns a parameter or, if the name is in capitals, a constant.
    fn get(&self, name: &str) -> u64 {
        self.constants.get(name).copied().unwrap_or_else(|| param(self.step, name))
    }

    /// Returns the iterations of a loop over `total` things that `each` invocation or iteration takes so many of.
    fn shared(&self, total: &str, each: &str) -> u64 {
        self.get(total).div_ceil(self.get(each))
    }
}

/// Returns what a loop costs: its iterations, and one for the entry.
fn loop_of(iterations: u64) -> u64 {
    iterations + 1
}

/// Returns what a loop costs whose iterations cost more than one.
fn outer(iterations: u64, body: u64) -> u64 {
    loop_of(iterations * (1 + body))
}

/// The most that the loops of an invocation cost.
type Cost = fn(&Call<'_>) -> u64;

/// The loops of every kernel that has any, each named after what it counts, with its inner loops in parentheses; and
/// their cost, from the parameters of a step and the constants of the kernel.
const LOOPS: &[(&str, &str, Cost)] = &[
    ("backward/col2im", "taps()", |c| loop_of(c.get("taps"))),
    ("backward/grad_bias", "pixels()", |c| loop_of((c.get("images") * c.get("out_pixels")).div_ceil(c.get("slices")))),
    ("backward/grad_column", "packs() stores()", |c| {
        loop_of(c.get("row_packs")) + loop_of(c.get("PIXELS_PER_INVOCATION") * c.get("PACKS_PER_INVOCATION"))
    }),
    ("backward/grad_column_depthwise", "rows()", |c| loop_of(c.get("rows"))),
    // A row has at most all entries of its offset group, without those of padding pixels, and divides them among its
    // cells. Each cell may have an iteration that is not full.
    ("backward/grad_input", "cells(entries())", |c| {
        let entries = c.pack_taps.map_or(0, |step| param(step, "taps") * param(step, "pixels"));
        outer(c.get("in_width") + 1, loop_of(1)) + entries / c.get("ENTRIES_PER_ITERATION")
    }),
    ("backward/grad_offset", "packs()", |c| loop_of(c.get("packs"))),
    ("backward/grad_weight", "iterations() stores()", |c| {
        loop_of(c.get("iterations_per_split")) + loop_of(c.get("ROW_PACKS") * 4)
    }),
    ("backward/grad_weight_depthwise", "pixels()", |c| loop_of(c.shared("pixels", "slices"))),
    ("backward/grad_weight_reduce", "taps(splits())", |c| {
        outer(c.get("taps").min(c.get("TAPS_PER_INVOCATION")), loop_of(c.get("splits")))
    }),
    ("backward/pack_grad_output", "packs()", |c| loop_of(c.get("PACKS_PER_INVOCATION"))),
    ("backward/pack_taps", "taps()", |c| loop_of(c.get("TAPS_PER_INVOCATION"))),
    ("backward/pack_weight_columns", "taps()", |c| loop_of(c.get("TAPS_PER_INVOCATION"))),
    ("backward/sum_slices", "slices()", |c| loop_of(c.get("slices"))),
    ("convolution/copy_rows", "elements()", |c| loop_of(c.get("ELEMENTS_PER_INVOCATION"))),
    ("convolution/pack_input", "rows()", |c| loop_of(c.get("ROWS_PER_INVOCATION"))),
    ("forward/depthwise", "taps()", |c| loop_of(c.get("taps"))),
    ("forward/direct", "taps(channels(outputs()))", |c| {
        outer(c.get("taps"), outer(c.get("channels_per_group"), loop_of(c.get("OUT_CHANNELS"))))
    }),
    ("forward/fused_subgroup", "taps(packs()) stores()", |c| {
        let segments = (c.get("segment_end") - c.get("segment_start")).min(c.get("segments_per_group"));
        let packs = c.get("pack_end") - c.get("pack_start");
        outer(segments * (c.get("tap_end") - c.get("tap_start")), loop_of(packs))
            + loop_of(c.get("PIXELS_PER_INVOCATION") * c.get("BLOCKS"))
    }),
    // A part of the sum may begin inside a tap and end inside another.
    ("forward/fused_tiled", "taps(blocks(channels()))", |c| {
        let blocks = c.get("blocks_per_split");
        let taps = blocks / c.shared("padded_channels", "TILE_K") + 2;
        outer(blocks, loop_of(c.get("TILE_K"))) + 2 * taps
    }),
    ("forward/im2col", "channels()", |c| loop_of(c.get("CHANNELS_PER_INVOCATION"))),
    ("forward/matmul", "tiles(rows())", |c| outer(c.shared("depth", "TILE_K"), loop_of(c.get("TILE_K")))),
    ("forward/reduce", "splits()", |c| loop_of(c.get("splits"))),
    ("roofline/multiply_add", "iterations()", |c| loop_of(c.get("iterations"))),
    ("sort/count", "buckets() entries()", |c| loop_of(c.get("buckets")) + loop_of(c.get("entries_per_partition"))),
    ("sort/scan", "counters() lanes() counters()", |c| {
        2 * loop_of(c.get("counters_per_lane")) + loop_of(c.step.kernel.workgroup_size)
    }),
    ("sort/scatter", "entries()", |c| loop_of(c.get("entries_per_partition"))),
    ("statistics/magnitude", "elements()", |c| loop_of(c.shared("elements", "SLICES"))),
    ("statistics/offset_magnitude", "taps()", |c| loop_of(c.shared("all_taps", "SLICES"))),
    ("statistics/reduce", "slices()", |c| loop_of(c.get("SLICES"))),
];

/// Returns the loops of a block, each as a pair of parentheses around its inner loops.
fn loops(block: &naga::Block) -> String {
    let of = |statement: &Statement| match statement {
        Statement::Loop { body, continuing, .. } => format!("({}{})", loops(body), loops(continuing)),
        Statement::Block(block) => loops(block),
        Statement::If { accept, reject, .. } => loops(accept) + &loops(reject),
        Statement::Switch { cases, .. } => cases.iter().map(|case| loops(&case.body)).collect(),
        _ => String::new(),
    };
    block.iter().map(of).collect()
}

#[test]
fn every_loop_is_in_the_table() {
    let mut seen = BTreeSet::new();
    for kernel in KERNELS {
        let module = module(kernel);
        let functions = module.functions.iter().map(|(_, function)| function);
        let entries = module.entry_points.iter().map(|entry| &entry.function);
        let found: String = functions.chain(entries).map(|function: &Function| loops(&function.body)).collect();
        let known = LOOPS.iter().find(|(file, ..)| *file == kernel.file);
        let named = known.map_or("", |(_, loops, _)| loops);
        let expected: String = named.chars().filter(|c| "()".contains(*c)).collect();
        assert_eq!(found, expected, "{}", kernel.name);
        seen.extend(known.map(|(file, ..)| *file));
    }
    assert_eq!(seen.len(), LOOPS.len(), "the table names a kernel that has no loops or does not exist");
    const { assert!(MAX_LOOP_STEPS < DRIVER_LIMIT) };
}

/// Returns the geometries of a deformable convolution of these sizes, and of an ordinary one.
pub fn geometries(sizes: Sizes, options: Options) -> [Geometry; 2] {
    let shapes = sizes.shapes(&options);
    let shapes = shapes.map(Vec::as_slice);
    let regular = conv2d::Inputs { input: shapes.input, weight: shapes.weight, bias: shapes.bias };
    [Geometry::new(shapes, &options).unwrap(), Geometry::new(&regular, &options).unwrap()]
}

/// Returns the plans of the forward pass by all algorithms that can do it, and the plan of the backward pass.
pub fn plans(geometry: &Geometry, options: Options, limits: &DeviceLimits) -> Vec<Plan> {
    let tiled = Tile::ALL.into_iter().flat_map(|tile| [1, 40_000].map(|splits| tile.algorithms(splits))).flatten();
    let fixed = [Algorithm::Columns, Algorithm::Direct, Algorithm::Depthwise, Algorithm::FusedSubgroup];
    let forward = fixed.into_iter().chain(tiled);
    let forward = forward.filter_map(|algorithm| plan(geometry, &Options { algorithm, ..options }, limits).ok());
    let wanted = |operand: bool| if operand { Mode::Write } else { Mode::Skip };
    let deformed = wanted(geometry.sampling == Sampling::Deformed);
    let (mask, bias) = (wanted(geometry.has_mask), wanted(geometry.has_bias));
    let modes = Gradients { input: Mode::Write, offset: deformed, weight: Mode::Write, mask, bias };
    forward.chain(plan_backward(geometry, &modes, &options, limits)).collect()
}

/// The constants of every kernel, by its name.
type Constants = BTreeMap<&'static str, BTreeMap<String, u64>>;

/// Checks the loops of every step, and adds the kernel and its largest cost to `checked`.
fn check_loops(plan: &Plan, constants: &Constants, checked: &mut BTreeMap<&'static str, u64>) {
    let mut pack_taps = None;
    for step in &plan.steps {
        if step.kernel.file == "backward/pack_taps" {
            pack_taps = Some(step);
        }
        if let Some((file, _, cost)) = LOOPS.iter().find(|(file, ..)| *file == step.kernel.file) {
            let cost = cost(&Call { step, constants: &constants[step.kernel.name], pack_taps });
            assert!(cost < DRIVER_LIMIT, "{cost} iterations: {step}");
            let largest = checked.entry(file).or_default();
            *largest = cost.max(*largest);
        }
    }
}

#[test]
fn no_plan_has_a_loop_that_the_driver_ends() {
    let extremes = [
        Sizes { in_channels: 300_000, out_channels: 1, kernel: [1, 1], input: [1, 1], ..PLAIN },
        Sizes { in_channels: 8, out_channels: 300_000, kernel: [1, 1], input: [2, 2], ..PLAIN },
        Sizes { in_channels: 23_000, out_channels: 8, kernel: [7, 7], input: [8, 8], ..PLAIN },
        Sizes { in_channels: 4, out_channels: 16, groups: 2, input: [60, 60], ..PLAIN },
        Sizes { in_channels: 4, out_channels: 4, groups: 4, kernel: [87, 87], input: [87, 87], ..PLAIN },
        Sizes { in_channels: 1, out_channels: 1, kernel: [260, 260], input: [260, 260], ..PLAIN },
        Sizes { in_channels: 4, out_channels: 4, kernel: [1, 1], input: [4000, 4000], ..PLAIN },
        Sizes { in_channels: 4, out_channels: 4, input: [3, 16_000], ..PLAIN },
        Sizes { in_channels: 4, out_channels: 4, input: [16_000, 3], ..PLAIN },
        Sizes { in_channels: 64, out_channels: 64, groups: 64, offset_groups: 64, input: [1000, 1000], ..PLAIN },
        Sizes { in_channels: 4, out_channels: 4, groups: 4, kernel: [1, 1], input: [3000, 3000], ..PLAIN },
        Sizes { batch: 100_000, in_channels: 8, out_channels: 8, kernel: [7, 7], input: [7, 7], ..PLAIN },
        Sizes { batch: 100_000, in_channels: 4, out_channels: 4, groups: 4, kernel: [1, 1], input: [1, 1], ..PLAIN },
    ];
    let gpu = DeviceLimits { max_binding_bytes: (1 << 31) - 256, kind: DeviceKind::DiscreteGpu, ..subgroups_of_8() };
    let cpu = DeviceLimits { kind: DeviceKind::Cpu, ..gpu };
    let named = |(name, value): (&str, u64)| (name.to_owned(), value);
    let of = |kernel| constants(&module(kernel)).into_iter().map(named).collect();
    let constants: Constants = KERNELS.iter().map(|kernel| (kernel.name, of(kernel))).collect();
    let mut checked = BTreeMap::new();
    for sizes in extremes {
        for limits in [DeviceLimits::default(), subgroups_of_8(), cpu, gpu] {
            for workspace_limit in [16 << 20, 1 << 32] {
                let options = Options { workspace_limit, ..Options::default() };
                for plan in geometries(sizes, options).iter().flat_map(|geometry| plans(geometry, options, &limits)) {
                    check_loops(&plan, &constants, &mut checked);
                }
            }
        }
    }
    // These operators make no plan without a device. They bound the loops themselves.
    let without_plan = |file: &&str| file.starts_with("statistics/") || file.starts_with("roofline/");
    let expected: BTreeSet<_> = LOOPS.iter().map(|(file, ..)| *file).filter(|file| !without_plan(file)).collect();
    assert_eq!(checked.into_keys().collect::<BTreeSet<_>>(), expected, "a kernel that no plan of this test uses");
}
