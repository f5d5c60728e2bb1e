//! `deform bench --steps`: the time of every step of a call on the device, by timestamps around it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, Table, presets};
use deform::ops::deform_conv2d::{Algorithm, Geometry, estimate};
use deform::plan::Step;
use deform::wgpu::{self, Features};
use deform::{Bound, DeformConv2d, Dtype, Gpu, Gradients, Options, Tensor};

use super::layers::Layer;
use super::{Bench, Pass};
use crate::device::{adapter_of, open_again};

/// The steps between two reads of the timestamps. A query set holds at most 4,096 timestamps.
const STEPS_AT_ONCE: usize = 2048;

/// The explanation under the tables.
const LEGEND: &str = "\
\"ms\" is the time of all dispatches of a kernel in the fastest call, from a timestamp before to one after each, without \
the time between dispatches. \"expected\" is the time of all with the launches, by the model that chooses tiles, which no \
GPU has confirmed yet.";

/// The dispatches of one kernel.
#[derive(Default)]
struct Kernel {
    dispatches: usize,
    invocations: u64,
    milliseconds: f64,
}

/// Opens the same adapter again, with timestamps.
fn with_timestamps(gpu: &Gpu) -> Result<Gpu> {
    let adapter = adapter_of(gpu)?;
    ensure!(adapter.features().contains(Features::TIMESTAMP_QUERY), "the adapter has no timestamps");
    let descriptor = wgpu::DeviceDescriptor {
        required_features: gpu.device().features() | Features::TIMESTAMP_QUERY,
        required_limits: gpu.device().limits(),
        ..Default::default()
    };
    open_again(&adapter, &descriptor)
}

impl Bench {
    /// Prints the tables of all layers and passes.
    pub(super) fn print_steps(&self, gpu: &Gpu) -> Result<()> {
        let gpu = with_timestamps(gpu)?;
        let op = self.operator(&gpu)?;
        for layer in self.chosen() {
            for pass in self.passes() {
                println!("\n{} {}\n{}", layer.title(), pass.name(), self.steps(&gpu, &op, layer, pass)?);
            }
        }
        println!("\n{LEGEND}");
        Ok(())
    }

    /// Makes the table of a layer's steps.
    fn steps(&self, gpu: &Gpu, op: &DeformConv2d, layer: &Layer, pass: Pass) -> Result<Table> {
        let options = Options { algorithm: self.algorithm, ..layer.options() };
        let geometry = layer.geometry()?;
        let inputs = deform_case::upload(gpu, &layer.operands())?;
        let inputs = inputs.as_ref();
        let output = Tensor::new(gpu, geometry.output_shape(), Dtype::F32)?;
        if pass == Pass::Forward {
            let prepared = op.prepare(&inputs.shapes(), Dtype::F32, options)?;
            let expected = prepared.plan().algorithm.parse().ok();
            return Ok(table(&self.fastest(gpu, &prepared.bind(&inputs, &output)?)?, &geometry, gpu, expected));
        }
        let shapes = inputs.shapes();
        let gradients = Gradients::try_from_fn(|operand| {
            let shape = shapes.get(operand);
            shape.map(|shape| Tensor::new(gpu, *shape, Dtype::F32)).transpose()
        })?;
        let prepared = op.prepare_backward(&shapes, Dtype::F32, layer.modes(), options)?;
        let bound = prepared.bind(&inputs, &output, &gradients.map(Option::as_ref))?;
        Ok(table(&self.fastest(gpu, &bound)?, &geometry, gpu, None))
    }

    /// Returns the kernels of the fastest call.
    fn fastest(&self, gpu: &Gpu, call: &Bound) -> Result<BTreeMap<&'static str, Kernel>> {
        let steps: Vec<_> = call.steps().collect();
        // The first call compiles.
        let calls: Vec<_> = (0..=self.runs).map(|_| times(gpu, &steps)).collect::<Result<_>>()?;
        let total = |times: &Vec<f64>| times.iter().sum::<f64>();
        let fastest = calls.iter().skip(1).min_by(|a, b| total(a).total_cmp(&total(b))).context("no call is timed")?;
        let mut kernels = BTreeMap::<_, Kernel>::new();
        for ((step, _), milliseconds) in steps.iter().zip(fastest) {
            let kernel = kernels.entry(step.kernel()).or_default();
            kernel.dispatches += 1;
            kernel.invocations += step.invocations();
            kernel.milliseconds += milliseconds;
        }
        Ok(kernels)
    }
}

/// Runs the steps one after the other, and returns the milliseconds of each.
fn times(gpu: &Gpu, steps: &[(&Step, Bound)]) -> Result<Vec<f64>> {
    let (device, queue) = (gpu.device(), gpu.queue());
    let mut times = Vec::with_capacity(steps.len());
    for steps in steps.chunks(STEPS_AT_ONCE) {
        let count = u32::try_from(2 * steps.len())?;
        let bytes = u64::from(count) * 8;
        let query_set =
            device.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty: wgpu::QueryType::Timestamp, count });
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor { label: None, size: bytes, usage, mapped_at_creation: false })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let read = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for ((_, step), begin) in steps.iter().zip((0..).step_by(2)) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &query_set,
                    beginning_of_pass_write_index: Some(begin),
                    end_of_pass_write_index: Some(begin + 1),
                }),
            });
            step.record(&mut pass);
        }
        encoder.resolve_query_set(&query_set, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &read, 0, bytes);
        queue.submit([encoder.finish()]);
        read.map_async(wgpu::MapMode::Read, .., |_| {});
        gpu.wait()?;
        let view = read.get_mapped_range(..)?;
        let milliseconds = 1e-6 * f64::from(queue.get_timestamp_period());
        let ticks: Vec<_> = view.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        times.extend(ticks.chunks_exact(2).map(|pair| milliseconds * pair[1].saturating_sub(pair[0]) as f64));
    }
    Ok(times)
}

fn table(
    kernels: &BTreeMap<&'static str, Kernel>,
    geometry: &Geometry,
    gpu: &Gpu,
    algorithm: Option<Algorithm>,
) -> Table {
    let total: f64 = kernels.values().map(|kernel| kernel.milliseconds).sum();
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["kernel", "dispatches", "invocations", "ms", "of all", "expected ms"]);
    let mut rows: Vec<_> = kernels.iter().collect();
    rows.sort_by(|(_, a), (_, b)| b.milliseconds.total_cmp(&a.milliseconds));
    for (name, kernel) in rows {
        table.add_row([
            (*name).to_owned(),
            kernel.dispatches.to_string(),
            kernel.invocations.to_string(),
            format!("{:.3}", kernel.milliseconds),
            format!("{:.1} %", 100.0 * kernel.milliseconds / total),
            String::new(),
        ]);
    }
    let expected = algorithm.and_then(|algorithm| estimate(geometry, gpu.limits().class, algorithm));
    let dispatches: usize = kernels.values().map(|kernel| kernel.dispatches).sum();
    table.add_row([
        "all".to_owned(),
        dispatches.to_string(),
        String::new(),
        format!("{total:.3}"),
        "100.0 %".to_owned(),
        expected.map_or(String::new(), |time| format!("{:.3}", 1e3 * time.as_secs_f64())),
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
