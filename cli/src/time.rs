//! `deform time`: times one operator on one case and prints a line of JSON for scripts.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use deform::DeformConv2d;
use deform::ops::deform_conv2d::{Algorithm, Operand};
use deform_case::{DEFORM_CONV2D, Operator};
use serde_json::{Map, Value, json};

use crate::device::Device;
use crate::numbers;
use crate::operator::{self, Call};
use crate::timing::Timing;

/// Time single calls of an operator on the operands in a file, and print one line of JSON.
///
/// The first call is a warm-up and is not counted. A timed call begins with the operands on the device and ends when
/// the device has finished the output; nothing is read back. The last output and gradients are then compared with the
/// file's answers, if it has any; the exit code is 4 if an error exceeds its bound. `deform run --help` describes the
/// file and the bounds.
#[derive(Args)]
pub(crate) struct Time {
    /// The operator to time
    #[arg(value_parser = operator::operators())]
    operator: &'static Operator,
    /// What to compute
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// The safetensors file with the operands
    case: PathBuf,
    /// The number of timed calls
    #[arg(long, value_name = "N", default_value = "15", value_parser = numbers::count, allow_negative_numbers = true)]
    runs: u32,
    /// Start no further call after this many seconds; at least one call is timed
    #[arg(long, value_name = "S", default_value = "60", value_parser = numbers::seconds, allow_negative_numbers = true)]
    max_seconds: f64,
    /// The algorithm of a convolution: auto, columns, direct, depthwise, fused_subgroup, or a tile with a number of
    /// splits such as fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
    #[command(flatten)]
    device: Device,
}

#[derive(Clone, Copy, Default, PartialEq, ValueEnum)]
enum Mode {
    /// The forward pass
    #[default]
    Fwd,
    /// The forward pass, then all gradients
    Fwdbwd,
}

impl Time {
    pub(crate) fn run(&self) -> Result<()> {
        let call = Call::read(self.operator, &self.case)?;
        let options = call.options(self.algorithm, None)?;
        let gpu = self.device.open()?;
        let backward = self.mode == Mode::Fwdbwd;
        let on_device = call.file.call(&DeformConv2d::new(&gpu), options, backward)?;
        let (timing, results) = Timing::measure(&gpu, self.runs as usize, self.max_seconds, on_device)?;

        let results = operator::download(&results)?;
        let compared = call.compare(&results)?;
        // JSON has no infinity: if a result is NaN, the infinite error becomes null, and the exit code is 4.
        let error = |name: &str| {
            json!(compared.iter().find(|result| result.name == name).map(|result| result.comparison.max_abs_error))
        };
        let mut line = json!({
            "peer": "project",
            "device": gpu.info().name,
            "case": call.file.name,
            "mode": if backward { "fwdbwd" } else { "fwd" },
            "median_ms": timing.median(),
            "min_ms": timing.min(),
            "max_ms": timing.max(),
            "runs": timing.runs(),
            "max_abs_err_vs_torchvision": error("output"),
        });
        if backward {
            let operands = results.iter().filter_map(|(name, _)| name.strip_prefix("grad_"));
            let mut errors: Map<_, _> =
                operands.map(|operand| (operand.to_owned(), error(&format!("grad_{operand}")))).collect();
            if self.operator.name == DEFORM_CONV2D.name {
                // A call without a mask or a bias has the same keys.
                for operand in Operand::ALL {
                    errors.entry(operand.name()).or_insert(Value::Null);
                }
            }
            line["grad_err_vs_torchvision"] = errors.into();
        }
        println!("{line}");
        Ok(operator::check(&compared)?)
    }
}
