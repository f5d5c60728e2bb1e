//! `deform run` of the operators around deform_conv2d: the layer with its generator, CycleFC, channel shifts, ordinary convolution.

use anyhow::{Result, bail, ensure};
use deform::layers::HostTensor;
use deform::{DeformConv2d, Options};
use deform_case::CaseFile;

use crate::Operator;
use crate::accuracy::{Comparison, Mismatch};

/// The bound in words, for `--help`.
pub(crate) const BOUND: &str = "\
The bound of an element of the other operators' results is 1e-4 of the answer's largest element.";
const SHARE_OF_LARGEST: f64 = 1e-4;

/// A result: its name, and its tensor.
type Results = Vec<(String, HostTensor)>;

/// Computes what the file describes.
pub(crate) fn compute(
    operator: &DeformConv2d,
    kind: Operator,
    file: &CaseFile,
    options: Options,
    backward: bool,
) -> Result<Results> {
    let results = match kind {
        Operator::DeformableConv2d => deform_case::deformable_conv2d(operator, file, options, backward)?,
        Operator::CycleFc => deform_case::cycle_fc(operator, file, backward)?,
        Operator::Shift => deform_case::shift(operator.gpu(), file, backward)?,
        Operator::Conv2d => deform_case::conv2d(operator, file, options, backward)?,
        Operator::DeformConv2d => bail!("deform_conv2d has a file of its own kind"),
    };
    results.into_iter().map(|result| Ok((result.name.clone(), result.download()?))).collect()
}

/// Compares what the file has answers to.
pub(crate) fn compare(file: &CaseFile, results: &Results) -> Result<Vec<(String, Comparison)>> {
    let mut comparisons = Vec::new();
    for (name, result) in results {
        let Some(answer) = file.answer(name)? else { continue };
        let got = &result.shape;
        let mismatch = || Mismatch(format!("{name} has shape {got:?}, the file's has {:?}", answer.shape));
        ensure!(answer.shape == *got, mismatch());
        let largest = answer.values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let mut comparison = Comparison::default();
        for (n, (got, want)) in result.values.iter().zip(&answer.values).enumerate() {
            comparison.add(n, f64::from(*got), *want, SHARE_OF_LARGEST * largest);
        }
        comparisons.push((answer.name, comparison));
    }
    Ok(comparisons)
}
