//! `deform time`: times one operator on one case and prints a line of JSON for scripts.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use deform::ops::deform_conv2d::Algorithm;
use deform::{DeformConv2d, Gpu, Options};
use serde_json::json;

use crate::case::Case;
use crate::timing::Timing;
use crate::{gradients, run};

/// Time single calls of an operator on the operands in a file, and print one line of JSON.
///
/// The first call is a warm-up and is not counted. A timed call begins with the operands on the device and ends when
/// the device has finished the output; nothing is read back. The last output and gradients are then compared with the
/// file's answers, if it has any; the exit code is 4 if an error exceeds its bound. `deform run --help` describes the
/// file and the bounds.
#[derive(Args)]
pub(crate) struct Time {
    /// The operator to time
    #[arg(value_enum)]
    operator: TimedOperator,
    /// What to compute
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// The safetensors file with the operands
    case: PathBuf,
    /// The number of timed calls
    #[arg(long, value_name = "N", default_value = "15", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Start no further call after this many seconds; at least one call is timed
    #[arg(long, value_name = "S", default_value = "60")]
    max_seconds: f64,
    /// The algorithm: auto, columns, direct, depthwise, fused_subgroup, or a tile with a number of splits such as
    /// fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
}

/// The operators that `time` can time.
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum TimedOperator {
    /// torchvision's deform_conv2d, version 1 (no mask) or 2 (with a mask)
    DeformConv2d,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Mode {
    /// The forward pass
    #[default]
    Fwd,
    /// The forward pass, then the gradients of all operands
    Fwdbwd,
}

impl Time {
    pub(crate) fn run(&self) -> Result<()> {
        let TimedOperator::DeformConv2d = self.operator;
        let case = Case::read(&self.case)?;
        let gpu = Gpu::new()?;
        let op = DeformConv2d::new(&gpu);
        let inputs = deform_case::upload(&gpu, &case.operands)?;
        let inputs = inputs.as_ref();
        let options = Options { algorithm: self.algorithm, ..case.options };
        let grad_output = match self.mode {
            Mode::Fwd => None,
            Mode::Fwdbwd => Some(gradients::upload(&gpu, &case)?),
        };
        let (timing, (output, gradients)) = Timing::measure(&gpu, self.runs as usize, self.max_seconds, || {
            let output = op.forward(&inputs, options)?;
            let backward = |grad_output| gradients::compute(&op, &inputs, grad_output, options);
            Ok((output, grad_output.as_ref().map(backward).transpose()?))
        })?;

        let answer = case.answer.as_ref();
        let comparison =
            answer.map(|answer| run::compare(&case, answer, &output, &output.download::<f32>()?)).transpose()?;
        let comparisons = match &gradients {
            Some(gradients) => Some(gradients::compare(&case, &gradients::download(gradients)?)?),
            None => None,
        };
        let mut line = json!({
            "peer": "project",
            "device": gpu.info().name,
            "case": case.name,
            "mode": if comparisons.is_some() { "fwdbwd" } else { "fwd" },
            "median_ms": timing.median(),
            "min_ms": timing.min(),
            "max_ms": timing.max(),
            "runs": timing.runs(),
            // JSON has no infinity: if the output is NaN, the infinite error becomes null, and the exit code is 4.
            "max_abs_err_vs_torchvision": comparison.map(|comparison| comparison.max_abs_error),
        });
        if let Some(comparisons) = &comparisons {
            let errors = comparisons.iter().map(|(operand, comparison)| {
                (operand.name(), json!(comparison.as_ref().map(|comparison| comparison.max_abs_error)))
            });
            line["grad_err_vs_torchvision"] = errors.collect();
        }
        println!("{line}");
        if let (Some(answer), Some(comparison)) = (answer, comparison) {
            comparison.check(&format!("the file's {}", answer.name))?;
        }
        if let Some(comparisons) = &comparisons {
            gradients::check(&case, comparisons)?;
        }
        Ok(())
    }
}
