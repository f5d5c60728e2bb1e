//! The operators of `deform run` and `deform time`: calls on the operands of a file, and how their results compare with
//! the file's answers.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use deform::layers::HostTensor;
use deform::{DeformConv2d, Options};
use deform_case::{CaseFile, Comparison, Computed, Mismatch};

use crate::bounds::Bounds;
use crate::case::Case;

/// The operators that `run` and `time` compute.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Operator {
    /// torchvision's deform_conv2d, version 1 (no mask) or 2 (with a mask)
    DeformConv2d,
    /// The layer that computes its offsets and masks with a convolution of its own
    DeformableConv2d,
    /// CycleMLP's fully connected layer
    CycleFc,
    /// Channel shifts: those of S²-MLP and AS-MLP, and roll
    Shift,
    /// Ordinary convolution followed by an activation
    Conv2d,
}

/// A call of an operator on the operands of a file.
pub(crate) struct Call {
    pub(crate) file: CaseFile,
    operator: Operator,
    /// The operands of `deform_conv2d`; `None` for the other operators.
    case: Option<Case>,
}

/// A computed result and its name: `output` or `grad_…`.
pub(crate) type Results = Vec<(String, HostTensor)>;

/// The comparison of a result with the file's answer.
pub(crate) struct Compared {
    /// The result's name.
    pub(crate) name: String,
    /// The name of the answer in the file.
    pub(crate) answer: String,
    pub(crate) comparison: Comparison,
}

impl Call {
    /// Reads a call of the operator from a file.
    pub(crate) fn read(operator: Operator, path: &Path) -> Result<Self> {
        let file = CaseFile::read(path)?;
        let case = match operator {
            Operator::DeformConv2d => Some(Case::from_file(&file, path)?),
            _ => None,
        };
        Ok(Self { file, operator, case })
    }

    /// Puts the operands on the device and returns the call on them. Its results are the output, and the gradients if
    /// `backward` is set.
    pub(crate) fn on(&self, op: &DeformConv2d, options: Options, backward: bool) -> Result<deform_case::Call> {
        match self.operator {
            Operator::DeformConv2d => deform_case::deform_conv2d(op, &self.file, options, backward),
            Operator::DeformableConv2d => deform_case::deformable_conv2d(op, &self.file, options, backward),
            Operator::CycleFc => deform_case::cycle_fc(op, &self.file, backward),
            Operator::Shift => deform_case::shift(op.gpu(), &self.file, backward),
            Operator::Conv2d => deform_case::conv2d(op.gpu(), &self.file, options, backward),
        }
    }

    /// Compares each result with the file's answer, if there is one.
    pub(crate) fn compare(&self, results: &Results) -> Result<Vec<Compared>> {
        let mut bounds = None;
        let mut compared = Vec::new();
        for (name, HostTensor { shape, values }) in results {
            let Some(answer) = self.file.answer(name)? else { continue };
            ensure!(
                answer.shape == *shape,
                Mismatch(format!("{name} has shape {shape:?}, the file's {} has {:?}", answer.name, answer.shape))
            );
            let bounds = match &mut bounds {
                Some(bounds) => bounds,
                none => none.insert(self.bounds(results)?),
            };
            let comparison = Comparison::of(values, &answer.values, bounds.of(name, &answer)?);
            compared.push(Compared { name: name.clone(), answer: answer.name, comparison });
        }
        Ok(compared)
    }

    fn bounds(&self, results: &Results) -> Result<Bounds> {
        let (_, output) = results.first().context("the call has a result")?;
        Ok(match (self.operator, &self.case) {
            (Operator::DeformConv2d, Some(case)) => Bounds::of_sums(case.clone()),
            (Operator::CycleFc, _) => Bounds::of_sums(Case::of_cycle_fc(&self.file)?),
            (Operator::Conv2d, _) => Bounds::of_conv2d(Case::of_conv2d(&self.file, &output.shape)?, &self.file),
            (Operator::Shift, _) => Bounds::Shift,
            (Operator::DeformConv2d | Operator::DeformableConv2d, _) => Bounds::Layer,
        })
    }
}

/// Downloads the results of a call.
pub(crate) fn download(results: &[Computed]) -> Result<Results> {
    results.iter().map(|result| Ok((result.name.clone(), result.download()?))).collect()
}

/// Returns an error for the first result that has an element beyond its bound; the error names the worst element.
pub(crate) fn check(compared: &[Compared]) -> Result<(), Mismatch> {
    compared.iter().try_for_each(|result| result.comparison.check(&format!("the file's {}", result.answer)))
}
