//! `deform run` for the other operators: the layer that generates its own offsets, CycleFC, channel shifts and ordinary
//! convolution.

use anyhow::{Result, bail, ensure};
use deform::layers::HostTensor;
use deform::{DeformConv2d, Options};
use deform_case::CaseFile;

use crate::Operator;
use crate::accuracy::{Comparison, Mismatch};

/// The description of the bound in `--help`.
pub(crate) const BOUND: &str = "\
For the other operators, the bound of every element is 1e-4 times the answer's largest absolute value.";
/// The bound as a fraction of the largest absolute value of the answer.
const BOUND_OF_LARGEST: f64 = 1e-4;

/// The results with their names.
type Results = Vec<(String, HostTensor)>;

/// Computes the operator `kind` on the file's operands.
pub(crate) fn compute(
    operator: &DeformConv2d,
    kind: Operator,
    file: &CaseFile,
    options: Options,
    backward: bool,
) -> Result<Results> {
    let call = match kind {
        Operator::DeformableConv2d => deform_case::deformable_conv2d(operator, file, options, backward)?,
        Operator::CycleFc => deform_case::cycle_fc(operator, file, backward)?,
        Operator::Shift => deform_case::shift(operator.gpu(), file, backward)?,
        Operator::Conv2d => deform_case::conv2d(operator.gpu(), file, options, backward)?,
        Operator::DeformConv2d => bail!("deform_conv2d is computed from a `Case`"),
    };
    call()?.into_iter().map(|result| Ok((result.name.clone(), result.download()?))).collect()
}

/// Compares each result with the file's answer, if there is one.
pub(crate) fn compare(file: &CaseFile, results: &Results) -> Result<Vec<(String, Comparison)>> {
    let mut comparisons = Vec::new();
    for (name, result) in results {
        let Some(answer) = file.answer(name)? else { continue };
        let got = &result.shape;
        let mismatch =
            || Mismatch(format!("{name} has shape {got:?}, the file's {} has {:?}", answer.name, answer.shape));
        ensure!(answer.shape == *got, mismatch());
        let largest = answer.values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let mut comparison = Comparison::default();
        for (n, (got, want)) in result.values.iter().zip(&answer.values).enumerate() {
            comparison.add(n, f64::from(*got), *want, BOUND_OF_LARGEST * largest);
        }
        comparisons.push((answer.name, comparison));
    }
    Ok(comparisons)
}
