//! The peer deform.

use anyhow::{Context, Result};
use deform::ops::deform_conv2d::PackedWeight;
use deform::{DeformConv2d, Dtype, Gpu, Gradients, Inputs, Options, Tensor};

use crate::layer::{Layer, Operand, PADDING};
use crate::{Peer, describe};

pub(crate) struct DeformPeer {
    gpu: Gpu,
    op: DeformConv2d,
    /// The operands of the forward pass alone; the weight is packed once, as in an inference program.
    operands: Option<Inputs<Tensor, PackedWeight>>,
    /// The weight as it is, for the gradients: a training program cannot pack it in advance, because each step changes
    /// it.
    weight: Option<Tensor>,
    grad_output: Option<Tensor>,
}

impl DeformPeer {
    pub(crate) fn new() -> Result<Self> {
        let gpu = Gpu::new()?;
        Ok(Self { op: DeformConv2d::new(&gpu), gpu, operands: None, weight: None, grad_output: None })
    }

    /// Submits the forward pass without waiting for it.
    fn forward(&self) -> Result<Tensor> {
        let operands = self.operands.as_ref().context("no layer is loaded")?;
        let inputs = Inputs {
            input: &operands.input,
            offset: &operands.offset,
            weight: &operands.weight,
            mask: operands.mask.as_ref(),
            bias: operands.bias.as_ref(),
        };
        Ok(self.op.forward(&inputs, options())?)
    }

    /// Submits the forward pass and all gradients without waiting for them.
    fn both(&self) -> Result<(Tensor, Gradients<Option<Tensor>>)> {
        let operands = self.operands.as_ref().context("no layer is loaded")?;
        let inputs = Inputs {
            input: &operands.input,
            offset: &operands.offset,
            weight: self.weight.as_ref().context("no layer is loaded")?,
            mask: operands.mask.as_ref(),
            bias: operands.bias.as_ref(),
        };
        let grad_output = self.grad_output.as_ref().context("no layer is loaded")?;
        let output = self.op.forward(&inputs, options())?;
        Ok((output, self.op.backward(&inputs, grad_output, Gradients::ALL, options())?))
    }

    fn upload<const RANK: usize>(&self, operand: &Operand<RANK>) -> Result<Tensor> {
        Ok(Tensor::upload(&self.gpu, operand.shape, &operand.values)?)
    }
}

impl Peer for DeformPeer {
    fn adapter(&self) -> String {
        let info = self.gpu.info();
        describe(&info.name, info.backend, &info.driver, &info.driver_info)
    }

    fn load(&mut self, layer: &Layer) -> Result<()> {
        let tensor = self.upload(&layer.weight)?;
        let shapes = Inputs {
            input: &layer.input.shape[..],
            offset: &layer.offset.shape[..],
            weight: &layer.weight.shape[..],
            mask: Some(&layer.mask.shape[..]),
            bias: Some(&layer.bias.shape[..]),
        };
        self.operands = Some(Inputs {
            input: self.upload(&layer.input)?,
            offset: self.upload(&layer.offset)?,
            weight: self.op.prepare(&shapes, Dtype::F32, options())?.pack_weight(&tensor)?,
            mask: Some(self.upload(&layer.mask)?),
            bias: Some(self.upload(&layer.bias)?),
        });
        self.weight = Some(tensor);
        self.grad_output = Some(self.upload(&layer.grad_output)?);
        Ok(self.gpu.wait()?)
    }

    fn run(&self) -> Result<()> {
        let _output = self.forward()?;
        Ok(self.gpu.wait()?)
    }

    fn output(&self) -> Result<Vec<f32>> {
        Ok(self.forward()?.download()?)
    }

    fn run_both(&self) -> Result<()> {
        let _tensors = self.both()?;
        Ok(self.gpu.wait()?)
    }

    fn gradients(&self) -> Result<Vec<(String, Vec<f32>)>> {
        let (_, gradients) = self.both()?;
        let computed = gradients.iter().filter_map(|(operand, gradient)| Some((operand, gradient.as_ref()?)));
        computed.map(|(operand, gradient)| Ok((operand.gradient_name().to_owned(), gradient.download()?))).collect()
    }
}

fn options() -> Options {
    Options { padding: [PADDING; 2], ..Options::default() }
}
