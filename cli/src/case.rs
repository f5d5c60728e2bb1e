//! A case of `deform_conv2d`: the operands and options of one call.

use std::path::Path;

use anyhow::{Context, Result};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::Geometry;
use deform::{Inputs, Options};
use deform_case::CaseFile;

/// One call of `deform_conv2d`: its operands and its options, and the gradient of its output if it has a backward pass.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) operands: Inputs<HostTensor>,
    pub(crate) options: Options,
    pub(crate) grad_output: Option<HostTensor>,
}

impl Case {
    /// Makes a case without a backward pass.
    pub(crate) fn new(name: &str, operands: Inputs<HostTensor>, options: Options) -> Self {
        let name = name.to_owned();
        Self { name, operands, options, grad_output: None }
    }

    /// Reads a case from a safetensors file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::from_file(&CaseFile::read(path)?, path)
    }

    /// Reads the case from a parsed file. Errors name `path`.
    pub(crate) fn from_file(file: &CaseFile, path: &Path) -> Result<Self> {
        Self::parse(file).with_context(|| format!("{} is not a deform_conv2d case", path.display()))
    }

    fn parse(file: &CaseFile) -> Result<Self> {
        let case = Self {
            name: file.name.clone(),
            operands: file.operands()?,
            options: file.options()?,
            grad_output: file.optional("grad_output")?,
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
