//! The device that most tests share, and functions that run a case on it.

use std::io::Write;
use std::sync::OnceLock;

use deform::ops::deform_conv2d::{Algorithm, Tile};
use deform::plan::{GpuClass, Plan};
use deform::{DeformConv2d, Dtype, Error, Gpu, Inputs, Options, Tensor, wgpu};

use crate::support::case::{Case, PLAIN, padded};
use crate::support::compare::compare;

/// Returns the shared device, and prints its adapter the first time.
pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| {
        let gpu = Gpu::new().expect("an adapter (cargo xtask test installs a software one where it may)");
        let info = gpu.info();
        say(&format!("adapter: {} ({:?}, {})", info.name, info.backend, info.driver_info));
        if !has_small_limits() {
            return gpu;
        }
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: 32 << 10,
            max_compute_workgroups_per_dimension: 50,
            ..gpu.device().limits()
        };
        say("the bindings have 32 KiB and the grids 50 workgroups along an axis");
        same_adapter(&gpu, gpu.device().features(), limits)
    })
}

/// Returns whether the shared device is one on which small cases are cut into parts. `cargo xtask soak --small` asks
/// for it.
pub fn has_small_limits() -> bool {
    std::env::var_os("DEFORM_SMALL_LIMITS").is_some()
}

/// Makes a device of the same adapter.
pub fn same_adapter(gpu: &Gpu, required_features: wgpu::Features, required_limits: wgpu::Limits) -> Gpu {
    let adapter = Gpu::adapters().into_iter().find(|adapter| adapter.get_info() == *gpu.info()).expect("the adapter");
    let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("a device");
    Gpu::from_wgpu(device, queue)
}

/// Returns an operator that plans as for a large GPU, on a device of the same adapter.
pub fn large_gpu() -> &'static DeformConv2d {
    static OPERATOR: OnceLock<DeformConv2d> = OnceLock::new();
    OPERATOR.get_or_init(|| {
        let same = same_adapter(gpu(), gpu().device().features(), gpu().device().limits());
        let (device, queue) = (same.device().clone(), same.queue().clone());
        DeformConv2d::new(&Gpu::from_wgpu_as(device, queue, GpuClass::H100))
    })
}

/// Returns the operator on the shared device.
pub fn operator() -> &'static DeformConv2d {
    static OPERATOR: OnceLock<DeformConv2d> = OnceLock::new();
    OPERATOR.get_or_init(|| DeformConv2d::new(gpu()))
}

/// Returns the algorithms that this device can run for every convolution, with every tile. Another test checks that the
/// others are refused.
pub fn algorithms() -> Vec<Algorithm> {
    let whole = Tile::ALL.map(|tile| (tile, 1)).into_iter();
    let tiled = whole.chain([(Tile::M64N64, 3), (Tile::M32N32, 2)]).flat_map(|(tile, splits)| tile.algorithms(splits));
    distinct_algorithms().into_iter().chain(tiled).collect()
}

/// The same as [`algorithms`], without the tiled ones. Tests of large cases or of many cases use it.
pub fn distinct_algorithms() -> Vec<Algorithm> {
    [Algorithm::Columns, Algorithm::Direct].into_iter().chain(fused_subgroup()).collect()
}

/// Returns the algorithm for subgroups of 8, if the device has such. Other devices refuse it.
pub fn fused_subgroup() -> Option<Algorithm> {
    if gpu().limits().subgroup_size == 8 {
        return Some(Algorithm::FusedSubgroup);
    }
    let options = Options { algorithm: Algorithm::FusedSubgroup, ..padded() };
    let refused = operator().prepare(&Case::new("refused", PLAIN, options).shape_slices(), Dtype::F32, options);
    assert!(matches!(refused, Err(Error::Unsuitable { .. })), "{refused:?}");
    None
}

/// Returns the plan of a case's forward call.
pub fn forward_plan(case: &Case) -> Plan {
    let prepared = operator().prepare(&case.shape_slices(), Dtype::F32, case.options);
    prepared.unwrap_or_else(|error| panic!("{}: {error}", case.name)).plan().clone()
}

/// Returns the least workspace limit that a case needs, from the error for a limit of 0. Returns 0 if the case needs
/// none.
pub fn least_workspace(case: &Case) -> u64 {
    let options = Options { workspace_limit: 0, ..case.options };
    match operator().prepare(&case.shape_slices(), Dtype::F32, options) {
        Ok(prepared) if prepared.plan().memory_bytes() == 0 => 0,
        Err(Error::WorkspaceTooSmall { needed, .. }) => needed,
        other => panic!("{}: {other:?}", case.name),
    }
}

/// Prints a line that the test harness does not capture.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}

/// Returns a second shared device, made as a caller would make it, with exactly WebGPU's default limits and no feature.
pub fn default_limits_gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| callers_gpu(wgpu::Limits::default()))
}

/// Makes a device as a caller would make it, with these limits.
pub fn callers_gpu(required_limits: wgpu::Limits) -> Gpu {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("an adapter");
    let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("a device");
    Gpu::from_wgpu(device, queue)
}

pub fn upload(case: &Case) -> Inputs<Tensor> {
    upload_to(gpu(), case)
}

pub fn upload_to(gpu: &Gpu, case: &Case) -> Inputs<Tensor> {
    let tensor = |shape: &[usize], values: &[f32]| Tensor::upload(gpu, shape, values).expect("upload");
    let optional = |shape: Option<&[usize]>, values: Option<&[f32]>| shape.zip(values).map(|(s, v)| tensor(s, v));
    let (shapes, values) = (case.shape_slices(), case.slices());
    Inputs {
        input: tensor(shapes.input, values.input),
        offset: tensor(shapes.offset, values.offset),
        weight: tensor(shapes.weight, values.weight),
        mask: optional(shapes.mask, values.mask),
        bias: optional(shapes.bias, values.bias),
    }
}

/// Makes a tensor full of NaN, which shows elements that are left unwritten or are read before they are written.
pub fn poison(shape: &[usize]) -> Tensor {
    poison_on(gpu(), shape)
}

pub fn poison_on(gpu: &Gpu, shape: &[usize]) -> Tensor {
    Tensor::upload(gpu, shape, &vec![f32::NAN; shape.iter().product()]).expect("upload")
}

/// Returns numbers in −1…1 that depend on the seed.
pub fn noise(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|n| ((n * 7919 + seed * 104_729) % 1021) as f32 / 510.5 - 1.0).collect()
}

/// Makes a tensor of [`noise`].
pub fn random_on(gpu: &Gpu, shape: [usize; 4], seed: usize) -> Tensor {
    Tensor::upload(gpu, shape, &noise(shape.iter().product(), seed)).expect("upload")
}

/// Runs the case through a prepared call, with output and scratch full of NaN.
pub fn run(case: &Case) -> Vec<f32> {
    run_on(gpu(), operator(), case)
}

pub fn run_on(gpu: &Gpu, operator: &DeformConv2d, case: &Case) -> Vec<f32> {
    let inputs = upload_to(gpu, case);
    let prepared = operator
        .prepare(&case.shape_slices(), Dtype::F32, case.options)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let prepared = prepared.poisoned().expect("poison");
    let output = poison_on(gpu, &case.geometry().output_shape());
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    prepared.record(&mut encoder, &inputs.as_ref(), &output).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    gpu.queue().submit([encoder.finish()]);
    output.download().expect("download")
}

/// Runs the case and compares every element with the reference. Returns the worst ratio of error to bound.
pub fn check(case: &Case) -> f64 {
    check_on(operator(), case)
}

pub fn check_on(operator: &DeformConv2d, case: &Case) -> f64 {
    let (want, bounds) = case.expected();
    let got = run_on(operator.gpu(), operator, case);
    compare(&got, &want, &bounds).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}
