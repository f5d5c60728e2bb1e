//! The peer burn: its wgpu backend on its default device.

use anyhow::{Context, Result, anyhow};
use burn::tensor::module::deform_conv2d;
use burn::tensor::ops::DeformConvOptions;
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::{Device, Tensor, TensorData};

use crate::layer::{Layer, Operand, PADDING};
use crate::{Peer, describe};

pub(crate) struct BurnPeer {
    device: Device,
    setup: WgpuSetup,
    operands: Option<Operands>,
}

struct Operands {
    groups: usize,
    offset_groups: usize,
    input: Tensor<4>,
    offset: Tensor<4>,
    weight: Tensor<4>,
    mask: Tensor<4>,
    bias: Tensor<1>,
}

impl BurnPeer {
    pub(crate) fn new() -> Result<Self> {
        let (device, setup) = Device::wgpu_options().init_with_setup()?;
        Ok(Self { device, setup, operands: None })
    }

    /// Submits the forward pass without waiting for it.
    fn forward(&self) -> Result<Tensor<4>> {
        let operands = self.operands.as_ref().context("no layer is loaded")?;
        // The clones share the tensors' memory.
        Ok(deform_conv2d(
            operands.input.clone(),
            operands.offset.clone(),
            operands.weight.clone(),
            Some(operands.mask.clone()),
            Some(operands.bias.clone()),
            DeformConvOptions::new([1; 2], [PADDING; 2], [1; 2], operands.groups, operands.offset_groups),
        ))
    }

    fn upload<const RANK: usize>(&self, operand: &Operand<RANK>) -> Tensor<RANK> {
        Tensor::from_data(TensorData::new(operand.values.clone(), operand.shape), &self.device)
    }

    fn wait(&self) -> Result<()> {
        self.device.sync().map_err(|error| anyhow!("{error:?}"))
    }
}

impl Peer for BurnPeer {
    fn adapter(&self) -> String {
        let info = self.setup.adapter.get_info();
        describe(&info.name, info.backend, &info.driver, &info.driver_info)
    }

    fn load(&mut self, layer: &Layer) -> Result<()> {
        self.operands = Some(Operands {
            groups: layer.groups,
            offset_groups: layer.offset_groups,
            input: self.upload(&layer.input),
            offset: self.upload(&layer.offset),
            weight: self.upload(&layer.weight),
            mask: self.upload(&layer.mask),
            bias: self.upload(&layer.bias),
        });
        self.wait()
    }

    fn run(&self) -> Result<()> {
        let _output = self.forward()?;
        self.wait()
    }

    fn output(&self) -> Result<Vec<f32>> {
        self.forward()?.into_data().try_into_vec().map_err(|error| anyhow!("{error:?}"))
    }
}
