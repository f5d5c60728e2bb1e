//! The measurement. It waits for the device, so it is not available on the web.

use std::time::Instant;

use super::Roofline;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Call, Engine, Expected, Gpu, Planned, Prepared, Tensor};
use crate::kernel::Storage;
use crate::kernel::roofline::{copy, multiply_add};
use crate::plan::{DeviceLimits, MAX_LOOP_STEPS, Plan, Window};

/// The largest number of invocations: enough for a large GPU, while a CPU works through them in turn. There are fewer
/// if a binding holds fewer.
const MAX_INVOCATIONS: u32 = 1 << 18;
/// Loop iterations of the first attempt. They are doubled until a run is long enough to time.
const FIRST_ITERATIONS: u64 = 16;
/// The largest number of loop iterations, below [`MAX_LOOP_STEPS`].
const MAX_ITERATIONS: u64 = 32_768;
const _: () = assert!(MAX_ITERATIONS < MAX_LOOP_STEPS);
/// A run of this length is so long that the time for submission and waiting does not matter.
const LONG_ENOUGH_SECONDS: f64 = 0.05;
/// The number of runs. The fastest counts, because the rate of an undisturbed run is the ceiling.
const RUNS: usize = 5;
/// The largest copy. It exceeds the caches of most devices: a copy that fits into a cache would make the memory look
/// faster. It is smaller if a binding holds less.
const MAX_COPY_BYTES: u64 = 64 << 20;

impl Roofline {
    /// Measures both rates. Blocks for about a second.
    ///
    /// # Errors
    /// Returns [`Error::Device`](crate::Error::Device) or [`Error::Timeout`](crate::Error::Timeout).
    pub fn measure(gpu: &Gpu) -> Result<Self> {
        Ok(Self { multiply_add_flops: multiply_add(gpu)?, copy_bytes_per_second: copy(gpu)? })
    }
}

fn multiply_add(gpu: &Gpu) -> Result<f64> {
    let most = u32::try_from(gpu.limits().max_window_elements());
    let invocations = most.map_or(MAX_INVOCATIONS, |most| most.min(MAX_INVOCATIONS));
    let sink = Tensor::new(gpu, [invocations as usize], Dtype::F32)?;
    let mut iterations = FIRST_ITERATIONS;
    loop {
        let plan = multiply_add_plan(gpu.limits(), invocations.into(), iterations)?;
        let seconds = fastest(gpu, plan, &[("sink", &sink)])?;
        if seconds >= LONG_ENOUGH_SECONDS || iterations >= MAX_ITERATIONS {
            let vec4_lanes = 4.0;
            let per_iteration = 2.0 * vec4_lanes * (multiply_add::CHAINS * multiply_add::UNROLL) as f64;
            return Ok(per_iteration * iterations as f64 * f64::from(invocations) / seconds);
        }
        iterations *= 2;
    }
}

fn multiply_add_plan(limits: &DeviceLimits, invocations: u64, iterations: u64) -> Result<Plan> {
    let params = multiply_add::Params { iterations, invocations };
    let (sink, _) = limits.window("sink", 0, invocations);
    let workgroups = multiply_add::KERNEL.workgroups(invocations);
    let step = limits.step(&multiply_add::KERNEL, Storage::F32, params, vec![sink], workgroups)?;
    Ok(Plan { steps: vec![step], ..Plan::default() })
}

fn copy(gpu: &Gpu) -> Result<f64> {
    // The copy is in whole vec4s.
    let bytes = MAX_COPY_BYTES.min(gpu.limits().max_binding_bytes / 16 * 16);
    let [source, destination] = {
        let make = || Tensor::new(gpu, [(bytes / 4) as usize], Dtype::F32);
        [make()?, make()?]
    };
    let plan = copy_plan(gpu.limits(), bytes)?;
    let seconds = fastest(gpu, plan, &[("source", &source), ("destination", &destination)])?;
    Ok(2.0 * bytes as f64 / seconds)
}

fn copy_plan(limits: &DeviceLimits, bytes: u64) -> Result<Plan> {
    let count = bytes / 16;
    let whole = |operand| Window { operand, start: 0, bytes };
    let params = copy::Params { count };
    let workgroups = copy::KERNEL.workgroups(count);
    let step =
        limits.step(&copy::KERNEL, Storage::F32, params, vec![whole("source"), whole("destination")], workgroups)?;
    Ok(Plan { steps: vec![step], ..Plan::default() })
}

fn fastest(gpu: &Gpu, plan: Plan, operands: &[(&'static str, &Tensor)]) -> Result<f64> {
    let expected = |&(operand, tensor): &(_, &Tensor)| Expected {
        operand,
        shape: tensor.shape().to_vec(),
        dtype: Dtype::F32,
        because: "the plan",
    };
    let planned = Planned { plan, operands: operands.iter().map(expected).collect(), ..Planned::default() };
    let prepared: Prepared<()> = Engine::new(gpu).prepare(&(), || Ok(planned))?;
    let call = Call { operands: operands.to_vec(), ..Call::default() };
    let mut fastest = f64::INFINITY;
    // The first run does not count: it compiles the kernel and finds the memory cold.
    for run in 0..=RUNS {
        let start = Instant::now();
        prepared.submit_call(&call)?;
        gpu.wait()?;
        if run > 0 {
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(fastest)
}
