//! `deform bench`: times the layers of known networks on the adapter and checks each result against the reference.

mod backward;
mod generator;
pub(crate) mod layers;
mod map;
mod rows;
mod samples;
mod steps;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use deform::ops::deform_conv2d::{Algorithm, Tuning};
use deform::ops::roofline::Roofline;
use deform::{DeformConv2d, Dtype, Gpu, Options};
use deform_case::Comparison;
use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use self::layers::{LAYERS, Layer, layer_names};
use self::rows::{Row, json_row, table};
use crate::out::Out;
use crate::timing::Timing;
use crate::{info, numbers};

/// The number of output elements of a layer that are compared with the reference, which would take minutes for all of
/// them.
const SAMPLES: usize = 64;

/// The explanation of the table in `--help`.
const TABLE: &str = "\
GFLOP/s counts a multiply-add as two operations, and sampling as none; the backward pass counts twice the operations \
of the forward pass. \"of FLOP\" and \"of copy\" are fractions of the rates that two small kernels reach on the same \
adapter just before: one computes only multiply-adds, the other copies. The bytes of a row count each tensor that the \
pass reads or writes once. \"max error\" is the largest error of 64 output elements against the CPU reference, and \
\"of bound\" is the largest ratio of an error to its bound, which is 10 * 2^-24 * sqrt(n) * sum|terms| for a sum of n \
terms. For the backward pass, 12 elements of each gradient are compared. Compare times only within one \
run: machines differ, and the speed of one machine varies from hour to hour.";

/// Measure the layers of known networks on the adapter, and check every result.
///
/// The first call of a layer is a warm-up. The following calls are timed from the operands on the device to the
/// finished output. If a layer fails, its row says so, and the other layers still run.
#[derive(Args)]
#[command(after_help = TABLE)]
pub(crate) struct Bench {
    /// A layer to measure; can be repeated [default: all]
    #[arg(long = "layer", value_name = "NAME", value_parser = layer_names())]
    layers: Vec<String>,
    /// The pass to measure
    #[arg(long, value_enum, default_value_t)]
    pass: Pass,
    /// The number of timed calls per layer
    #[arg(long, value_name = "N", default_value = "5", value_parser = numbers::count, allow_negative_numbers = true)]
    runs: u32,
    /// Start no further call of a layer after this many seconds; at least one call is timed
    #[arg(long, value_name = "S", default_value = "60", value_parser = numbers::seconds, allow_negative_numbers = true)]
    max_seconds: f64,
    /// The algorithm: auto, columns, direct, depthwise, fused_subgroup, or a tile with a number of splits such as
    /// fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
    /// Pack each layer's weight once before the timed calls, as an inference program does
    #[arg(long)]
    packed_weight: bool,
    /// Measure layers from one pixel to 4K instead, both passes of each, as multiples of a line that grows with the work
    #[arg(long, conflicts_with_all = ["layers", "pass"])]
    map: bool,
    /// Time every step of a call on the device instead, by timestamps, and print a table for each layer and pass
    #[arg(long, conflicts_with_all = ["map", "packed_weight", "json"])]
    steps: bool,
    /// Only print the layers' names
    #[arg(long)]
    list: bool,
    /// Use the results that `deform tune` stored in this file
    #[arg(long, value_name = "FILE")]
    tuning: Option<PathBuf>,
    /// Also write the numbers to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
enum Pass {
    /// The forward pass
    Forward,
    /// All gradients
    Backward,
    /// The forward pass in one row and all gradients in another
    #[default]
    Both,
    /// The ordinary convolution that would compute the layer's offsets, with the layer's kernel size
    Generator,
}

impl Pass {
    const fn name(self) -> &'static str {
        match self {
            Self::Forward | Self::Both => "forward",
            Self::Backward => "backward",
            Self::Generator => "generator",
        }
    }
}

/// The times, rates and errors of one row.
struct Measured {
    algorithm: String,
    timing: Timing,
    flops_per_second: f64,
    bytes_per_second: f64,
    comparison: Comparison,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<()> {
        let listed = if self.map { map::LAYERS } else { LAYERS };
        if self.list {
            listed.iter().for_each(|layer| println!("{}", layer.title()));
            return Ok(());
        }
        let inputs: Vec<_> = self.tuning.as_deref().into_iter().collect();
        let json = self.json.as_deref().map(|path| Out::new(path, &inputs)).transpose()?;
        let gpu = Gpu::new()?;
        let arguments = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
        println!("adapter  {}", info::describe(gpu.info()));
        println!("command  deform {arguments}");
        if self.steps {
            return self.print_steps(&gpu);
        }
        let roofline = Roofline::measure(&gpu).context("cannot measure the adapter's own rates")?;
        println!(
            "rates    {:.1} GFLOP/s in multiply-adds, {:.2} GB/s in copies",
            roofline.multiply_add_flops / 1e9,
            roofline.copy_bytes_per_second / 1e9
        );

        let layers: Vec<&Layer> = if self.map { map::in_turns() } else { self.chosen().collect() };
        let passes = self.passes();
        // Drawn on stderr, and only if that is a terminal.
        let bar = ProgressBar::new((layers.len() * passes.len()) as u64)
            .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed}")?);
        let op = self.operator(&gpu)?;
        let mut rows = Vec::new();
        for (layer, pass) in layers.into_iter().flat_map(|layer| passes.iter().map(move |&pass| (layer, pass))) {
            bar.set_message(layer.title());
            bar.tick();
            let result = match pass {
                Pass::Backward => self.measure_backward(&gpu, &op, layer),
                Pass::Generator => self.measure_generator(&gpu, &op, layer),
                Pass::Forward | Pass::Both => self.measure(&gpu, &op, layer),
            };
            rows.push(Row { layer, pass, result });
            bar.inc(1);
        }
        bar.finish_and_clear();

        if self.map {
            println!("\n{}\n\n{}", map::table(&rows), map::LEGEND);
        } else {
            println!("\n{}", table(&rows, &roofline));
        }
        for row in &rows {
            if let Err(error) = &row.result {
                println!("{} failed: {error:#}", row.name());
            }
        }
        if let Some(out) = json {
            let document = json!({
                "adapter": gpu.info().name,
                "driver": info::driver(gpu.info()),
                "command": format!("deform {arguments}"),
                "multiply_add_flops": roofline.multiply_add_flops,
                "copy_bytes_per_second": roofline.copy_bytes_per_second,
                "layers": rows.iter().map(json_row).collect::<Vec<_>>(),
            });
            out.write(format!("{document:#}\n").as_bytes())?;
        }
        verdict(&rows)
    }

    fn chosen(&self) -> impl Iterator<Item = &'static Layer> {
        LAYERS.iter().filter(|layer| self.layers.is_empty() || self.layers.iter().any(|name| name == layer.name))
    }

    fn passes(&self) -> Vec<Pass> {
        match self.pass {
            Pass::Both => vec![Pass::Forward, Pass::Backward],
            pass => vec![pass],
        }
    }

    fn operator(&self, gpu: &Gpu) -> Result<DeformConv2d> {
        let tuning = self.tuning.as_ref().map(Tuning::load).transpose()?;
        Ok(DeformConv2d::with_tuning(gpu, tuning.unwrap_or_default()))
    }

    fn measure(&self, gpu: &Gpu, op: &DeformConv2d, layer: &Layer) -> Result<Measured> {
        let operands = layer.operands();
        let options = Options { algorithm: self.algorithm, ..layer.options() };
        let geometry = layer.geometry()?;
        let inputs = deform_case::upload(gpu, &operands)?;
        let inputs = inputs.as_ref();
        let prepared = op.prepare(&inputs.shapes(), Dtype::F32, options)?;
        let weight = prepared.pack_weight(inputs.weight)?;
        let (timing, output) = Timing::measure(gpu, self.runs as usize, self.max_seconds, || {
            if self.packed_weight {
                op.forward(&inputs.with_weight(&weight), options)
            } else {
                op.forward(&inputs, options)
            }
        })?;

        let output = output.download::<f32>()?;
        let values = operands.map(|operand| operand.values.as_slice());
        let optional = |values: Option<&[f32]>| values.map_or(0, <[f32]>::len);
        let elements = values.input.len()
            + values.offset.len()
            + values.weight.len()
            + optional(values.mask)
            + optional(values.bias)
            + output.len();
        let seconds = timing.median() / 1e3;
        // The first and the last element, where tiles begin and end, then random ones.
        let mut rng = StdRng::seed_from_u64(0x5a);
        let places = [0, output.len() - 1].into_iter().chain((2..SAMPLES).map(|_| rng.random_range(0..output.len())));
        Ok(Measured {
            algorithm: prepared.plan().algorithm.clone(),
            flops_per_second: geometry.flops() / seconds,
            bytes_per_second: (4 * elements) as f64 / seconds,
            comparison: samples::compare(&geometry, &values, &output, places)?,
            timing,
        })
    }
}

/// Returns an error if a row is wrong or failed. A wrong result takes precedence over a failed row.
fn verdict(rows: &[Row<'_>]) -> Result<()> {
    for row in rows {
        if let Ok(measured) = &row.result {
            measured.comparison.check(&format!("the reference in layer {}", row.name()))?;
        }
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.result.is_err()).map(Row::name).collect();
    if !failed.is_empty() {
        bail!("{} of {} rows failed: {}", failed.len(), rows.len(), failed.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use deform_case::{ErrorBound, Mismatch};

    use super::{Comparison, LAYERS, Measured, Pass, Result, Row, Timing, verdict};

    fn measured(got: f64) -> Result<Measured> {
        let mut comparison = Comparison::default();
        comparison.add(0, got, 1.0, ErrorBound::fixed(1e-6));
        Ok(Measured { comparison, ..measured_in(1.0) })
    }

    /// Makes a row's numbers, of one call that took so many milliseconds.
    pub(super) fn measured_in(ms: f64) -> Measured {
        Measured {
            algorithm: String::new(),
            timing: Timing::of(&[ms]),
            flops_per_second: 1.0,
            bytes_per_second: 1.0,
            comparison: Comparison::default(),
        }
    }

    #[test]
    fn a_wrong_result_takes_precedence_over_a_failed_layer() {
        let [first, second] = [&LAYERS[0], &LAYERS[1]];
        let row = |layer, result| Row { layer, pass: Pass::Forward, result };
        assert!(verdict(&[row(first, measured(1.0))]).is_ok());

        let failed = verdict(&[row(first, Err(anyhow!("no memory"))), row(second, measured(1.0))]);
        let failed = failed.expect_err("one failed");
        assert!(failed.to_string().contains(first.name) && !failed.is::<Mismatch>(), "{failed}");

        let wrong = verdict(&[row(first, Err(anyhow!("no memory"))), row(second, measured(1.1))]);
        let wrong = wrong.expect_err("one is wrong");
        assert!(wrong.to_string().contains(second.name) && wrong.is::<Mismatch>(), "{wrong}");
    }
}
