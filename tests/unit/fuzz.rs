//! Random programs of the planners: whatever the geometry, the options and the device, a plan keeps the limits or is
//! refused.

use deform::ops::deform_conv2d::{Algorithm, Geometry, Mode, Tile, plan, plan_backward};
use deform::plan::{DeviceKind, DeviceLimits, GpuClass, Plan, Size};
use deform::{Gradients, Options};
use rand::Rng;
use rand::rngs::StdRng;

use super::case::Sizes;
use super::random::{fuzz, size};

#[derive(Debug)]
struct Call {
    sizes: Sizes,
    options: Options,
    limits: DeviceLimits,
    modes: Gradients<Mode>,
}

fn call(rng: &mut StdRng) -> Call {
    let small = |rng: &mut StdRng| size(rng).clamp(1, 1 << 16);
    let [groups, kernel, stride, padding, dilation] = std::array::from_fn(|_| [0, 1].map(|_| small(rng)));
    let depthwise = rng.random_range(0..4) == 0;
    let group_channels = if depthwise { 1 } else { small(rng) };
    let group_outputs = if depthwise { 1 } else { small(rng) };
    let sizes = Sizes {
        batch: small(rng),
        in_channels: group_channels * groups[0],
        // The output has at least one pixel.
        input: [0, 1].map(|axis| small(rng) + dilation[axis] * (kernel[axis] - 1)),
        out_channels: group_outputs * groups[0],
        kernel,
        groups: groups[0],
        offset_groups: if rng.random() { 1 } else { group_channels * groups[0] },
        mask: rng.random(),
        bias: rng.random(),
        reach: 1.0,
    };
    let tile = Tile::ALL[rng.random_range(0..Tile::ALL.len())];
    let [tiled, packed] = tile.algorithms(small(rng).try_into().unwrap_or(u32::MAX));
    let algorithms = [
        Algorithm::Auto,
        Algorithm::Columns,
        Algorithm::Direct,
        Algorithm::Depthwise,
        Algorithm::FusedSubgroup,
        tiled,
        packed,
    ];
    let options = Options {
        stride,
        padding: padding.map(|padding| padding - 1),
        dilation,
        algorithm: algorithms[rng.random_range(0..algorithms.len())],
        workspace_limit: rng.random::<u64>() >> rng.random_range(30..63),
        ..Options::default()
    };
    let limits = DeviceLimits {
        max_binding_bytes: (1 << rng.random_range(12..32)) - 256,
        binding_alignment: 1 << rng.random_range(4..9),
        max_workgroups_per_axis: 1 << rng.random_range(1..17),
        max_texture_axis: 1 << rng.random_range(6..16),
        subgroup_size: [0, 4, 8, 32][rng.random_range(0..4)],
        kind: if rng.random() { DeviceKind::Cpu } else { DeviceKind::DiscreteGpu },
        f16: rng.random(),
        class: GpuClass::ALL[rng.random_range(0..GpuClass::ALL.len())],
    };
    let mut mode = || [Mode::Skip, Mode::Write, Mode::Add][rng.random_range(0..3)];
    Call { sizes, options, limits, modes: Gradients::ALL.map(|_| mode()) }
}

fn check(plan: &Plan, Call { options, limits, .. }: &Call) {
    assert!(plan.memory_bytes() <= options.workspace_limit, "the workspace");
    for scratch in &plan.scratch {
        match scratch.size {
            Size::Texels(size) => assert!(size.into_iter().all(|axis| axis <= limits.max_texture_axis), "a texture"),
            // Steps bind parts of a band's rows.
            Size::Bytes(_) if scratch.name.ends_with("_rows") => {}
            Size::Bytes(bytes) => assert!(bytes <= limits.max_binding_bytes, "a buffer"),
        }
    }
    for step in &plan.steps {
        assert!(step.workgroups.iter().all(|&count| u64::from(count) <= limits.max_workgroups_per_axis), "a grid");
        let buffers = step.kernel.bindings.iter().zip(&step.windows).filter(|(binding, _)| binding.access.is_buffer());
        for (_, window) in buffers {
            assert!(window.bytes <= limits.max_binding_bytes, "a window");
        }
    }
}

#[test]
#[ignore = "`cargo xtask fuzz` runs it"]
fn fuzz_planners() {
    // The longest plan has MAX_STEPS steps.
    fuzz(
        "planners",
        call,
        |_| 256 << 20,
        |call| {
            let shapes = call.sizes.shapes(&call.options);
            let Ok(geometry) = Geometry::new(shapes.map(Vec::as_slice), &call.options) else { return false };
            let plans = [
                plan(&geometry, &call.options, &call.limits),
                plan_backward(&geometry, &call.modes, &call.options, &call.limits),
            ];
            plans.iter().flatten().for_each(|plan| check(plan, call));
            plans.iter().any(Result::is_ok)
        },
    );
}
