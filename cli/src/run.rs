//! `deform run`: computes one call on the operands of a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use deform::ops::deform_conv2d::Algorithm;
use deform::{DeformConv2d, Gpu, Options, Tensor};
use deform_case::{Answer, CaseFile};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::Operator;
use crate::accuracy::{self, Bounds, Comparison, Mismatch};
use crate::case::Case;
use crate::{gradients, layer};

/// Compute an operator's output, and optionally its gradients, for the operands in a file, and compare them with the
/// file's answers.
///
/// The safetensors file holds f32 operands. For deform_conv2d these are input, offset and weight, and optionally mask
/// and bias. The metadata entries stride, padding and dilation have the form "h,w" and default to 1, 0 and 1. groups
/// and offset_groups follow from the shapes; if metadata entries of these names exist, they must agree.
///
/// The result is compared with the tensor exact.output or, if that is missing, output (f64 or f32). Nothing is compared
/// if the file has neither. The exit code is 4 if an element's error exceeds its bound. With --backward the file must
/// also hold grad_output, and each gradient is compared in the same way, the gradient of input with exact.grad_input or
/// grad_input.
///
/// The other operators use these tensors and metadata entries; bias is optional:
///
/// deformable_conv2d: tensors input, weight, bias, generator_weight, generator_bias (the output channels for the
/// offsets first, then those for the masks); metadata stride, padding, dilation, groups, offset_groups, mask (none,
/// sigmoid, twice_sigmoid), generator_padding, generator_dilation.
///
/// cycle_fc: tensors input, weight, bias; metadata kernel_size.
///
/// shift: tensor input; metadata kind (s2v1, s2v2, as_h, as_w, roll), shift_size.
///
/// conv2d: tensors input, weight, bias; metadata stride, padding, dilation, activation (identity, relu, sigmoid,
/// twice_sigmoid).
#[derive(Args)]
#[command(after_help = format!("{}\n\n{}\n\n{}", accuracy::BOUND, gradients::BOUND, layer::BOUND))]
pub(crate) struct Run {
    /// The operator to compute
    #[arg(value_enum)]
    operator: Operator,
    /// The safetensors file with the operands
    case: PathBuf,
    /// Write the results to this safetensors file as f32 tensors: output, and with --backward the operator's gradients,
    /// such as grad_input
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The algorithm: auto, columns, direct, depthwise, fused_subgroup, or a tile with a number of splits such as
    /// fused_tiled_64x64/4
    #[arg(long, default_value_t, value_name = "NAME")]
    algorithm: Algorithm,
    /// The limit on device memory for intermediate results [default: 64 MiB]
    #[arg(long, value_name = "BYTES")]
    workspace: Option<u64>,
    /// Also compute the gradients, from the file's grad_output
    #[arg(long)]
    backward: bool,
}

impl Run {
    pub(crate) fn run(&self) -> Result<()> {
        if self.operator != Operator::DeformConv2d {
            return self.run_layer();
        }
        let case = Case::read(&self.case)?;
        let gpu = Gpu::new()?;
        let inputs = deform_case::upload(&gpu, &case.operands)?;
        let options = self.options(case.options);
        let op = DeformConv2d::new(&gpu);
        let inputs = inputs.as_ref();
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
            let gradients = gradients.iter().filter_map(|(operand, gradient)| {
                let (shape, values) = gradient.as_ref()?;
                Some((operand.gradient_name().to_owned(), shape.as_slice(), values.as_slice()))
            });
            let output = [("output".to_owned(), output.shape(), values.as_slice())];
            write(path, output.into_iter().chain(gradients))?;
        }
        match &case.answer {
            None => println!("the file has no answer to compare with"),
            Some(answer) => {
                let comparison = compare(&case, answer, &output, &values)?;
                report(&answer.name, &comparison);
                comparison.check(&format!("the file's {}", answer.name))?;
            }
        }
        if self.backward {
            let comparisons = gradients::compare(&case, &gradients)?;
            for (operand, comparison) in comparisons.iter() {
                if let (Some(comparison), Some(answer)) = (comparison, &case.grad_answers[operand]) {
                    report(&answer.name, comparison);
                }
            }
            gradients::check(&case, &comparisons)?;
        }
        Ok(())
    }

    /// Returns the file's options with the algorithm and workspace limit of the command line.
    fn options(&self, file: Options) -> Options {
        let workspace_limit = self.workspace.unwrap_or(file.workspace_limit);
        Options { algorithm: self.algorithm, workspace_limit, ..file }
    }

    fn run_layer(&self) -> Result<()> {
        let file = CaseFile::read(&self.case)?;
        let gpu = Gpu::new()?;
        let options = self.options(file.options()?);
        let results = layer::compute(&DeformConv2d::new(&gpu), self.operator, &file, options, self.backward)?;
        for (name, result) in &results {
            println!("{name} {:?} on {}", result.shape, gpu.info().name);
        }
        if let Some(path) = &self.out {
            let results = results.iter();
            write(
                path,
                results.map(|(name, result)| (name.clone(), result.shape.as_slice(), result.values.as_slice())),
            )?;
        }
        let comparisons = layer::compare(&file, &results)?;
        if comparisons.is_empty() {
            println!("the file has no answer to compare with");
        }
        comparisons.iter().for_each(|(name, comparison)| report(name, comparison));
        comparisons.iter().try_for_each(|(name, comparison)| comparison.check(&format!("the file's {name}")))?;
        Ok(())
    }
}

fn report(name: &str, comparison: &Comparison) {
    println!(
        "max abs error {:.3e} against {}; worst element at {:.3} of its bound {:.3e}",
        comparison.max_abs_error, name, comparison.worst_ratio, comparison.worst.bound
    );
}

/// Compares `values`, the downloaded output, with the case's answer.
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

fn write<'a>(path: &Path, tensors: impl Iterator<Item = (String, &'a [usize], &'a [f32])>) -> Result<()> {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let tensors: Vec<_> = tensors.map(|(name, shape, values)| (name, shape.to_vec(), bytes(values))).collect();
    let views =
        tensors.iter().map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([("source".to_owned(), format!("deform {}", env!("CARGO_PKG_VERSION")))]);
    std::fs::write(path, safetensors::serialize(views, Some(metadata))?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}
