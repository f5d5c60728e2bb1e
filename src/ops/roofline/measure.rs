//! Measuring, which waits for the device: not on the web.

use std::time::Instant;

use super::Roofline;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::gpu::{Call, Engine, Gpu, Prepared, Tensor};
use crate::kernel::Storage;
use crate::kernel::roofline::{copy, multiply_add};
use crate::plan::{DeviceLimits, Plan, Window};

/// Enough to occupy a large GPU, a CPU works through them in turn; fewer where a binding holds fewer.
const MAX_INVOCATIONS: u64 = 1 << 18;
/// Loop trips of the first attempt, doubled or more until a run is long enough to time.
const FIRST_TRIPS: u64 = 16;
/// At [`crate::plan::MAX_LOOP_STEPS`] a driver may end the loop early.
const MAX_TRIPS: u64 = 32_768;
/// Long enough that submission and wait do not count.
const LONG_ENOUGH_SECONDS: f64 = 0.05;
/// The fastest of so many runs counts: the ceiling is what undisturbed runs reach.
const RUNS: usize = 5;
/// Larger than any cache that would flatter the memory; less where a binding holds less.
const MAX_COPY_BYTES: u64 = 64 << 20;

impl Roofline {
    /// Measures both rates; blocks for about a second.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device), [`Error::Timeout`](crate::Error::Timeout).
    pub fn measure(gpu: &Gpu) -> Result<Self> {
        Ok(Self { multiply_add_flops: multiply_add(gpu)?, copy_bytes_per_second: copy(gpu)? })
    }
}

fn multiply_add(gpu: &Gpu) -> Result<f64> {
    let engine = Engine::new(gpu);
    let invocations = MAX_INVOCATIONS.min(gpu.limits().max_window_elements());
    let sink = Tensor::new(gpu, [invocations as usize], Dtype::F32)?;
    let mut trips = FIRST_TRIPS;
    loop {
        let prepared = engine.prepare(&trips, || multiply_add_plan(gpu.limits(), invocations, trips))?;
        let seconds = fastest(&engine, &prepared, &[("sink", &sink)])?;
        if seconds >= LONG_ENOUGH_SECONDS || trips >= MAX_TRIPS {
            let vec4_lanes = 4.0;
            let per_trip = 2.0 * vec4_lanes * (multiply_add::CHAINS * multiply_add::UNROLL) as f64;
            return Ok(per_trip * trips as f64 * invocations as f64 / seconds);
        }
        trips *= 2;
    }
}

fn multiply_add_plan(limits: &DeviceLimits, invocations: u64, trips: u64) -> Result<Plan> {
    let params = multiply_add::Params { trips, invocations };
    let (sink, _) = limits.window("sink", 0, invocations);
    let workgroups = multiply_add::KERNEL.workgroups(invocations);
    let step = limits.step(&multiply_add::KERNEL, Storage::F32, params, vec![sink], workgroups)?;
    Ok(Plan { steps: vec![step], ..Plan::default() })
}

fn copy(gpu: &Gpu) -> Result<f64> {
    let engine = Engine::new(gpu);
    // Whole vec4.
    let bytes = MAX_COPY_BYTES.min(gpu.limits().max_binding_bytes / 16 * 16);
    let [source, destination] = {
        let make = || Tensor::new(gpu, [(bytes / 4) as usize], Dtype::F32);
        [make()?, make()?]
    };
    let prepared = engine.prepare(&(), || copy_plan(gpu.limits(), bytes))?;
    let seconds = fastest(&engine, &prepared, &[("source", &source), ("destination", &destination)])?;
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

fn fastest<K: PartialEq + Clone>(
    engine: &Engine<K>,
    prepared: &Prepared,
    operands: &[(&'static str, &Tensor)],
) -> Result<f64> {
    let call = Call { operands: operands.to_vec(), ..Call::default() };
    let mut fastest = f64::INFINITY;
    // The first run is not counted: it compiles, and finds the memory cold.
    for run in 0..=RUNS {
        let start = Instant::now();
        engine.submit(prepared, &call)?;
        engine.gpu().wait()?;
        if run > 0 {
            fastest = fastest.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(fastest)
}
