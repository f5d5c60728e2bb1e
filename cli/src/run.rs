//! `deform run`: computes one call on the operands of a file.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use deform::DeformConv2d;
use deform::ops::deform_conv2d::Algorithm;
use deform_case::{OPERATORS, Operator};

use crate::bounds::BOUND;
use crate::device::Device;
use crate::numbers;
use crate::operator::{self, Call, Compared, Results};
use crate::out::Out;
use crate::rows::rows;

/// Two lines of Python that make a case, for `--help`. The README has the same. The help may wrap them wherever there is
/// a space, and they still run.
const RECIPE: &str = r#"These two lines of Python make a case:
import numpy as np; from safetensors.numpy import save_file; r=np.random.default_rng().random
save_file({"input": r((1,3,8,8), "f4"), "offset": r((1,18,8,8), "f4"), "weight": r((4,3,3,3), "f4")}, "case.safetensors", {"padding": "1,1"})"#;

/// Compute an operator's output, and optionally its gradients, for the operands in a file, and compare them with the
/// file's answers.
///
/// The safetensors file holds f32 operands. For deform_conv2d these are input, offset and weight, and optionally mask
/// and bias. The metadata entries stride, padding and dilation have the form "h,w", or are one number for both, and
/// default to 1, 0 and 1. groups and offset_groups follow from the shapes; if metadata entries of these names exist,
/// they must agree.
///
/// The result is compared with the tensor exact.output or, if that is missing, output (f64 or f32). Nothing is compared
/// if the file has neither. The exit code is 4 if an element's error exceeds its bound. With --backward the file must
/// also hold grad_output, and each gradient is compared in the same way, the gradient of input with exact.grad_input or
/// grad_input.
#[derive(Args)]
#[command(after_help = [&names(), RECIPE, BOUND].join("\n\n"))]
pub(crate) struct Run {
    /// The operator to compute
    #[arg(value_parser = operator::operators())]
    operator: &'static Operator,
    /// The safetensors file with the operands
    case: PathBuf,
    /// Write the results to this safetensors file as f32 tensors: output, and with --backward the operator's gradients,
    /// such as grad_input
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the values of the results as nested rows, with 6 significant digits; the middle of results of 500 elements
    /// or more is left out
    #[arg(long)]
    print: bool,
    /// The algorithm of a convolution: auto, columns, direct, depthwise, fused_subgroup, or a tile with a number of
    /// splits such as fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
    /// The limit on device memory for intermediate results [default: 64 MiB]
    #[arg(long, value_name = "BYTES", value_parser = numbers::whole_number::<u64>, allow_negative_numbers = true)]
    workspace: Option<u64>,
    /// Also compute the gradients, from the file's grad_output
    #[arg(long)]
    backward: bool,
    #[command(flatten)]
    device: Device,
}

/// Returns the names in the files of each operator, for `--help`.
fn names() -> String {
    let operators = OPERATORS.map(|operator| operator.to_string()).join("\n\n");
    format!(
        "The tensors and metadata entries of each operator's files; those in brackets may be left out. A file may also \
         have grad_output, the answers and, as remarks, the metadata entries note, source and format. Any other name is \
         an error.\n\n{operators}"
    )
}

impl Run {
    pub(crate) fn run(&self) -> Result<()> {
        let call = Call::read(self.operator, &self.case)?;
        let options = call.options(self.algorithm, self.workspace)?;
        let out = self.out.as_deref().map(|path| Out::new(path, &[&self.case])).transpose()?;
        let gpu = self.device.open()?;
        let results = operator::download(&call.file.call(&DeformConv2d::new(&gpu), options, self.backward)?()?)?;
        println!("{} on {}", call.file.name, gpu.info().name);
        for (name, result) in &results {
            println!("{name} {:?}", result.shape);
            if self.print {
                println!("{}", rows(result)?);
            }
        }
        if let Some(out) = out {
            out.write(&serialized(&results)?)?;
            println!("written to {}", out.path().display());
        }
        let compared = call.compare(&results)?;
        if compared.is_empty() {
            println!("the file has no answer to compare with");
        }
        for Compared { answer, comparison, .. } in &compared {
            println!(
                "max abs error {:.3e} against {answer}; worst element at {:.3} of its bound {:.3e}",
                comparison.max_abs_error, comparison.worst_ratio, comparison.worst.bound
            );
        }
        Ok(operator::check(&compared)?)
    }
}

/// Returns the contents of a file with the results.
fn serialized(results: &Results) -> Result<Vec<u8>> {
    let tensors = results.iter().map(|(name, result)| (name.clone(), &*result.shape, &*result.values));
    let metadata = HashMap::from([("source".to_owned(), format!("deform {}", env!("CARGO_PKG_VERSION")))]);
    deform_case::serialize(tensors, metadata)
}
