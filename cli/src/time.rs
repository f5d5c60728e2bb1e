//! `deform time`: the time of one operator on one case, as a line of JSON for a script to collect.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use deform::{Algorithm, DeformConv2d, Gpu, Options};
use serde_json::json;

use crate::case::{self, Case};
use crate::timing::Timing;
use crate::{Operator, run};

/// Time single calls of an operator on the operands in a file; prints one line of JSON.
///
/// One call warms up. A timed call begins with the operands on the device and ends when the output is finished there;
/// nothing is read back. The last output is then compared with the file's answer if it has one: see `deform run
/// --help` for the file and for the bound, beyond which the exit code is 4.
#[derive(Args)]
pub(crate) struct Time {
    /// The operator to time
    #[arg(value_enum)]
    operator: Operator,
    /// What to compute
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// The safetensors file with the operands
    case: PathBuf,
    /// How many timed calls
    #[arg(long, value_name = "N", default_value = "15", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Make no further call once this much time has passed; one call is always made
    #[arg(long, value_name = "S", default_value = "60")]
    max_seconds: f64,
    /// The algorithm: auto, columns, direct, fused_subgroup, or a tile and its splits such as fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Mode {
    /// The forward pass
    #[default]
    Fwd,
}

impl Time {
    pub(crate) fn run(&self) -> Result<()> {
        let Operator::DeformConv2d = self.operator;
        let case = Case::read(&self.case)?;
        let gpu = Gpu::new()?;
        let op = DeformConv2d::new(&gpu);
        let inputs = case::upload(&gpu, &case.operands)?;
        let inputs = inputs.map(|tensor| tensor);
        let options = Options { algorithm: self.algorithm, ..case.options };
        let (timing, output) =
            Timing::measure(&gpu, self.runs as usize, self.max_seconds, || op.forward(&inputs, options))?;

        let answer = case.answer.as_ref();
        let comparison =
            answer.map(|answer| run::compare(&case, answer, &output, &output.download::<f32>()?)).transpose()?;
        let Mode::Fwd = self.mode;
        let line = json!({
            "peer": "project",
            "device": gpu.info().name,
            "case": case.name,
            "mode": "fwd",
            "median_ms": timing.median(),
            "min_ms": timing.min(),
            "max_ms": timing.max(),
            "runs": timing.runs(),
            // JSON has no infinity: an output that is not a number is null here, and exit code 4.
            "max_abs_err_vs_torchvision": comparison.map(|comparison| comparison.max_abs_error),
        });
        println!("{line}");
        if let (Some(answer), Some(comparison)) = (answer, comparison) {
            comparison.check(&format!("the file's {}", answer.name))?;
        }
        Ok(())
    }
}
