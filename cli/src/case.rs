//! A case of `deform_conv2d`: the operands and options of one call.

use std::path::Path;

use anyhow::{Context, Result};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::Geometry;
use deform::ops::shift::cycle_fc;
use deform::{Inputs, Options};
use deform_case::{CaseFile, DEFORM_CONV2D};

/// One call of `deform_conv2d`: its operands and its options, and the gradient of its output if it has a backward pass.
#[derive(Clone)]
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
        Self::from_file(&CaseFile::read(&DEFORM_CONV2D, path)?, path)
    }

    /// Reads the case from a parsed file. Errors name `path`.
    pub(crate) fn from_file(file: &CaseFile, path: &Path) -> Result<Self> {
        Self::parse(file).with_context(|| format!("{} is not a case of deform_conv2d", path.display()))
    }

    fn parse(file: &CaseFile) -> Result<Self> {
        let (operands, options) = (file.operands()?, file.options()?);
        file.geometry(&operands, &options)?;
        Ok(Self { name: file.name.clone(), operands, options, grad_output: file.optional("grad_output")? })
    }

    /// Returns the call that computes the same as a CycleFC layer. Its offsets are whole numbers.
    pub(crate) fn of_cycle_fc(file: &CaseFile) -> Result<Self> {
        let [batch, channels, height, width] = file.shape("input")?;
        let shifts = cycle_fc(channels, file.pair("kernel_size", [1, 1])?)?;
        // A pixel that moves by a shift is read at the opposite offset.
        let planes = shifts.iter().flat_map(|shift| shift.map(|by| vec![-by as f32; height * width]));
        let offset = planes.flatten().collect::<Vec<_>>().repeat(batch);
        Self::without_offset(file, [batch, 2 * channels, height, width], offset, Options::default())
    }

    /// Returns the call that computes the same as an ordinary convolution without its activation: all offsets are 0.
    pub(crate) fn of_conv2d(file: &CaseFile, output: &[usize]) -> Result<Self> {
        let [_, _, kernel_height, kernel_width] = file.shape("weight")?;
        let [batch, _, height, width] = output.try_into().context("the output has four axes")?;
        let shape = [batch, 2 * kernel_height * kernel_width, height, width];
        Self::without_offset(file, shape, vec![0.0; shape.iter().product()], file.options()?)
    }

    fn without_offset(file: &CaseFile, shape: [usize; 4], values: Vec<f32>, options: Options) -> Result<Self> {
        let operands = Inputs {
            input: file.operand("input")?,
            offset: HostTensor { shape: shape.to_vec(), values },
            weight: file.operand("weight")?,
            mask: None,
            bias: file.optional("bias")?,
        };
        Ok(Self { name: file.name.clone(), operands, options, grad_output: file.optional("grad_output")? })
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
