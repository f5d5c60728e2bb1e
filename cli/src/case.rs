//! A case of `deform_conv2d`: the operands and options of one call, and the expected results if the file has them.

use std::path::Path;

use anyhow::{Context, Result};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::Geometry;
use deform::{Gradients, Inputs, Options};
use deform_case::{Answer, CaseFile};

/// One call of `deform_conv2d`: its operands, its options and the expected results.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) operands: Inputs<HostTensor>,
    pub(crate) options: Options,
    pub(crate) answer: Option<Answer>,
    pub(crate) grad_output: Option<HostTensor>,
    pub(crate) grad_answers: Gradients<Option<Answer>>,
}

impl Case {
    /// Makes a case without expected results.
    pub(crate) fn new(name: &str, operands: Inputs<HostTensor>, options: Options) -> Self {
        let name = name.to_owned();
        Self { name, operands, options, answer: None, grad_output: None, grad_answers: Gradients::default() }
    }

    /// Reads a case from a safetensors file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = CaseFile::read(path)?;
        Self::from_file(&file).with_context(|| format!("{} is not a deform_conv2d case", path.display()))
    }

    /// Reads the case from a parsed file.
    pub(crate) fn from_file(file: &CaseFile) -> Result<Self> {
        let case = Self {
            name: file.name.clone(),
            operands: file.operands()?,
            options: file.options()?,
            answer: file.answer("output")?,
            grad_output: file.optional("grad_output")?,
            grad_answers: file.gradients()?,
        };
        let geometry = case.geometry()?;
        file.agree("groups", geometry.groups)?;
        file.agree("offset_groups", geometry.offset_groups)?;
        Ok(case)
    }

    /// Returns the geometry of the call, or an error if the operands do not fit together.
    pub(crate) fn geometry(&self) -> Result<Geometry> {
        let shapes = self.operands.map(|operand| operand.shape.as_slice());
        Ok(Geometry::new(shapes, &self.options)?)
    }

    /// Returns the operands' values.
    pub(crate) fn values(&self) -> Inputs<&[f32]> {
        self.operands.map(|operand| operand.values.as_slice())
    }
}
