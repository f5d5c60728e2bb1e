//! The operators of `deform run` and `deform time`: calls on the operands of a file, and how their results compare with
//! the file's answers.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use deform::Options;
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::Algorithm;
use deform_case::{
    CONV2D, CYCLE_FC, CaseFile, Comparison, Computed, DEFORM_CONV2D, Mismatch, OPERATORS, Operator, SHIFT,
};

use crate::bounds::Bounds;
use crate::case::Case;

/// Parses the name of an operator.
pub(crate) fn operators() -> impl TypedValueParser<Value = &'static Operator> {
    let names = OPERATORS.map(|operator| PossibleValue::new(operator.name).help(operator.about));
    let named = |name: String| OPERATORS.into_iter().find(|operator| operator.name == name);
    PossibleValuesParser::new(names).try_map(move |name| named(name).context("no such operator"))
}

/// A call of an operator on the operands of a file.
pub(crate) struct Call {
    pub(crate) file: CaseFile,
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
    pub(crate) fn read(operator: &'static Operator, path: &Path) -> Result<Self> {
        let file = CaseFile::read(operator, path)?;
        let case = if operator.name == DEFORM_CONV2D.name { Some(Case::from_file(&file, path)?) } else { None };
        Ok(Self { file, case })
    }

    /// Returns the options of the call, or an error if the operator has no such options.
    pub(crate) fn options(&self, algorithm: Algorithm, workspace: Option<u64>) -> Result<Options> {
        let Operator { name, has_algorithms, .. } = self.file.operator;
        ensure!(*has_algorithms || algorithm == Algorithm::Auto, "--algorithm has no effect on {name}: leave it out");
        ensure!(*has_algorithms || workspace.is_none(), "--workspace has no effect on {name}: leave it out");
        let file = self.file.options()?;
        Ok(Options { algorithm, workspace_limit: workspace.unwrap_or(file.workspace_limit), ..file })
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
        let is = |operator: &Operator| self.file.operator.name == operator.name;
        Ok(match &self.case {
            Some(case) => Bounds::of_sums(case.clone()),
            None if is(&CYCLE_FC) => Bounds::of_sums(Case::of_cycle_fc(&self.file)?),
            None if is(&CONV2D) => {
                Bounds::of_conv2d(Case::of_conv2d(&self.file, &output.shape)?, self.file.activation()?)
            }
            None if is(&SHIFT) => Bounds::Shift,
            None => Bounds::Layer,
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
