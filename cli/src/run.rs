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
use crate::gradients;

/// Compute an operator's output, and its gradients, for the operands in a file, and compare them with the file's answers.
///
/// The file is a safetensors file with the f32 tensors input, offset and weight, and mask and bias where the call
/// has them; stride, padding and dilation are metadata entries "h,w" (absent: 1, 0, 1). groups and offset_groups
/// follow from the shapes; metadata entries of these names have to agree. When the file has a tensor exact.output or
/// output (f64 or f32), the result is compared with it: exit code 4 when an element is off by more than its bound. With
/// --backward the file has a tensor grad_output as well, and may have exact.grad_input or grad_input, and so on for offset, weight,
/// mask and bias.
#[derive(Args)]
#[command(after_help = format!("{}\n\n{}", accuracy::BOUND, gradients::BOUND))]
pub(crate) struct Run {
    /// The operator to compute
    #[arg(value_enum)]
    operator: Operator,
    /// The safetensors file with the operands
    case: PathBuf,
    /// Write the result to this safetensors file: the f32 tensors output, and with --backward grad_input, grad_offset, grad_weight,
    /// grad_mask and grad_bias
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The algorithm: auto, columns, direct, fused_subgroup, or a tile and its splits such as fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
    /// The most bytes of device memory to use for intermediate results [default: the library's, 64 MiB]
    #[arg(long, value_name = "BYTES")]
    workspace: Option<u64>,
    /// Compute the gradients too, from the file's grad_output
    #[arg(long)]
    backward: bool,
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
        let op = DeformConv2d::new(&gpu);
        let inputs = inputs.map(|tensor| tensor);
        let output = op.forward(&inputs, options)?;
        let values = output.download::<f32>()?;
        let gradients = if self.backward {
            let grad_output = gradients::upload(&gpu, &case)?;
            gradients::download(&gradients::compute(&op, &inputs, &grad_output, options)?)?
        } else {
            gradients::Values::default()
        };
        println!("{}: output {:?} on {}", case.name, output.shape(), gpu.info().name);
        if let Some(path) = &self.out {
            write(path, output.shape(), &values, &gradients)
                .with_context(|| format!("cannot write {}", path.display()))?;
            println!("written to {}", path.display());
        }
        match &case.answer {
            None => println!("the file has no answer to compare with"),
            Some(answer) => {
                let comparison = compare(&case, answer, &output, &values)?;
                report(answer, &comparison);
                comparison.check(&format!("the file's {}", answer.name))?;
            }
        }
        if self.backward {
            let comparisons = gradients::compare(&case, &gradients)?;
            for ((_, comparison), (_, answer)) in comparisons.named().into_iter().zip(case.grad_answers.named()) {
                if let (Some(comparison), Some(answer)) = (comparison, answer) {
                    report(answer, comparison);
                }
            }
            gradients::check(&case, &comparisons)?;
        }
        Ok(())
    }
}

fn report(answer: &Answer, comparison: &Comparison) {
    println!(
        "max abs error {:.3e} against {}; {:.3} of the bound, which is {:.3e} there",
        comparison.max_abs_error, answer.name, comparison.worst_ratio, comparison.worst.bound
    );
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

fn write(path: &std::path::Path, shape: &[usize], values: &[f32], gradients: &gradients::Values) -> Result<()> {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let named = gradients.named().into_iter();
    let gradients = named.filter_map(|(operand, gradient)| Some((format!("grad_{operand}"), gradient.as_ref()?)));
    let mut tensors = vec![("output".to_owned(), shape.to_vec(), bytes(values))];
    tensors.extend(gradients.map(|(name, (shape, values))| (name, shape.clone(), bytes(values))));
    let views =
        tensors.iter().map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([("source".to_owned(), format!("deform {}", env!("CARGO_PKG_VERSION")))]);
    std::fs::write(path, safetensors::serialize(views, Some(metadata))?)?;
    Ok(())
}
