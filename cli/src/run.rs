//! `deform run`: one call on the operands of a file.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use deform::{Algorithm, DeformConv2d, Gpu, Options, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::Operator;
use crate::accuracy::{self, Bounds, Comparison, Mismatch};
use crate::case::{self, Answer, Case};

/// Compute an operator's output for the operands in a file, and compare it with the file's answer.
///
/// The file is a safetensors file with the f32 tensors input, offset and weight, and mask and bias where the call
/// has them; stride, padding and dilation are metadata entries "h,w" (absent: 1, 0, 1). groups and offset_groups
/// follow from the shapes; metadata entries of these names have to agree. When the file has a tensor exact.output or
/// output (f64 or f32), the result is compared with it: exit code 4 when an element is off by more than its bound.
#[derive(Args)]
#[command(after_help = accuracy::BOUND)]
pub(crate) struct Run {
    /// The operator to compute
    #[arg(value_enum)]
    operator: Operator,
    /// The safetensors file with the operands
    case: PathBuf,
    /// Write the result to this safetensors file, as an f32 tensor named output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The algorithm: auto, columns, direct, fused_subgroup, or a tile and its splits such as fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
    /// The most bytes of device memory to use for intermediate results [default: the library's, 64 MiB]
    #[arg(long, value_name = "BYTES")]
    workspace: Option<u64>,
}

impl Run {
    pub(crate) fn run(&self) -> Result<()> {
        let Operator::DeformConv2d = self.operator;
        let case = Case::read(&self.case)?;
        let gpu = Gpu::new()?;
        let inputs = case::upload(&gpu, &case.operands)?;
        let options = Options {
            algorithm: self.algorithm,
            workspace_limit: self.workspace.unwrap_or(case.options.workspace_limit),
            ..case.options
        };
        let output = DeformConv2d::new(&gpu).forward(&inputs.map(|tensor| tensor), options)?;
        let values = output.download::<f32>()?;
        println!("{}: output {:?} on {}", case.name, output.shape(), gpu.info().name);
        if let Some(path) = &self.out {
            write(path, output.shape(), &values).with_context(|| format!("cannot write {}", path.display()))?;
            println!("written to {}", path.display());
        }
        let Some(answer) = &case.answer else {
            println!("the file has no answer to compare with");
            return Ok(());
        };
        let comparison = compare(&case, answer, &output, &values)?;
        println!(
            "max abs error {:.3e} against {}; {:.3} of the bound, which is {:.3e} there",
            comparison.max_abs_error, answer.name, comparison.worst_ratio, comparison.worst.bound
        );
        comparison.check(&format!("the file's {}", answer.name))?;
        Ok(())
    }
}

/// Compares a downloaded output with the case's answer.
pub(crate) fn compare(case: &Case, answer: &Answer, output: &Tensor, values: &[f32]) -> Result<Comparison> {
    ensure!(
        answer.shape == output.shape(),
        Mismatch(format!(
            "the output has shape {:?}, the file's {} has {:?}",
            output.shape(),
            answer.name,
            answer.shape
        ))
    );
    Ok(Bounds::new(case)?.compare(values, &answer.values))
}

fn write(path: &std::path::Path, shape: &[usize], values: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let output = TensorView::new(Dtype::F32, shape.to_vec(), &bytes)?;
    let metadata = HashMap::from([("source".to_owned(), format!("deform {}", env!("CARGO_PKG_VERSION")))]);
    std::fs::write(path, safetensors::serialize([("output", output)], Some(metadata))?)?;
    Ok(())
}
