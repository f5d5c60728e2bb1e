//! deform inside a burn application: one device, tensors shared in place.
//!
//! burn works on the application's own wgpu device. deform reads its operands from the buffers of burn's tensors and
//! writes the result into another tensor of burn's. The program compares the result with burn's own operator:
//! `cargo run --release --manifest-path recipes/burn/Cargo.toml`.

use anyhow::{Result, anyhow, ensure};
use burn::backend::Wgpu;
use burn::cubecl::wgpu::{AutoCompiler, WgpuResource, WgpuServer};
use burn::tensor::module::deform_conv2d;
use burn::tensor::ops::DeformConvOptions;
use burn::tensor::wgpu::{MemoryConfiguration, WgpuSetup};
use burn::tensor::{Device, Distribution, Tensor};
use deform::ops::deform_conv2d::Geometry;
use deform::{DeformConv2d, Dtype, Gpu, Inputs, Options, wgpu};

/// The application's device, with the handles that burn and deform have on it.
struct Host {
    device: wgpu::Device,
    queue: wgpu::Queue,
    burn: Device,
    gpu: Gpu,
}

impl Host {
    fn new() -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
        // burn's kernels use all limits and features of the adapter, so the device must have them; deform needs fewer.
        let unwanted = wgpu::Features::all_experimental_mask() | wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            required_features: adapter.features() - unwanted,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
        let gpu = Gpu::from_wgpu(device.clone(), queue.clone());
        let backend = adapter.get_info().backend;
        let setup = WgpuSetup { instance, adapter, device: device.clone(), queue: queue.clone(), backend };
        // Each tensor needs a buffer of its own: a WebGPU dispatch must not read and write one buffer, not even in
        // different parts.
        let memory = MemoryConfiguration::ExclusivePages;
        let burn = Device::wgpu_options().setup(setup).memory_config(memory).init()?;
        Ok(Self { device, queue, burn, gpu })
    }

    /// Returns a tensor of deform's that shares the memory of a burn tensor, and a guard. burn does not reuse the
    /// memory while the guard is held. The caller must hold it until deform's work is submitted; after that, the queue
    /// keeps the order.
    fn share<const RANK: usize>(&self, tensor: &Tensor<RANK>) -> Result<(deform::Tensor, impl Sized + use<RANK>)> {
        let shape = tensor.dims();
        let tensor = tensor.clone().try_into_primitive::<Wgpu>().map_err(|error| anyhow!("{error:?}"))?;
        ensure!(tensor.is_contiguous(), "deform needs a contiguous tensor");
        let memory = tensor.client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle)?;
        let WgpuResource { buffer, offset, .. } = memory.resource();
        let tensor = deform::Tensor::from_buffer(&self.gpu, buffer.clone(), *offset, shape, Dtype::F32)?;
        Ok((tensor, memory))
    }

    /// Computes `deform_conv2d` with deform on burn's tensors.
    fn deform_conv2d(&self, operator: &DeformConv2d, operands: &Operands, options: Options) -> Result<Tensor<4>> {
        let Operands { input, offset, weight, mask, bias } = operands;
        let (input, _input) = self.share(input)?;
        let (offset, _offset) = self.share(offset)?;
        let (weight, _weight) = self.share(weight)?;
        let (mask, _mask) = self.share(mask)?;
        let (bias, _bias) = self.share(bias)?;
        let inputs = Inputs { input: &input, offset: &offset, weight: &weight, mask: Some(&mask), bias: Some(&bias) };
        let output = Tensor::empty(Geometry::new(inputs.shapes(), &options)?.output_shape(), &self.burn);
        let (result, _result) = self.share(&output)?;
        // burn's kernels must be on the queue before deform's. This submits those of the current thread only.
        self.burn.flush()?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        operator.record_forward(&mut encoder, &inputs, &result, options)?;
        self.queue.submit([encoder.finish()]);
        Ok(output)
    }
}

#[derive(Clone)]
struct Operands {
    input: Tensor<4>,
    offset: Tensor<4>,
    weight: Tensor<4>,
    mask: Tensor<4>,
    bias: Tensor<1>,
}

impl Operands {
    /// Computes burn's own operator, with a padding of one pixel.
    fn by_burn(self, offset_groups: usize) -> Tensor<4> {
        let options = DeformConvOptions::new([1; 2], [1; 2], [1; 2], 1, offset_groups);
        deform_conv2d(self.input, self.offset, self.weight, Some(self.mask), Some(self.bias), options)
    }
}

fn main() -> Result<()> {
    const CHANNELS: usize = 32;
    const OUT_CHANNELS: usize = 48;
    const SIZE: usize = 40;
    const OFFSET_GROUPS: usize = 2;
    let host = Host::new()?;
    let normal = |shape| Tensor::random(shape, Distribution::Normal(0.0, 1.0), &host.burn);
    let operands = Operands {
        input: normal([1, CHANNELS, SIZE, SIZE]),
        offset: normal([1, OFFSET_GROUPS * 18, SIZE, SIZE]) * 2.0,
        weight: normal([OUT_CHANNELS, CHANNELS, 3, 3]),
        mask: burn::tensor::activation::sigmoid(normal([1, OFFSET_GROUPS * 9, SIZE, SIZE])),
        bias: normal([1, 1, 1, OUT_CHANNELS]).reshape([OUT_CHANNELS]),
    };
    let operator = DeformConv2d::new(&host.gpu);
    let options = Options { padding: [1; 2], ..Options::default() };
    let ours = host.deform_conv2d(&operator, &operands, options)?;

    // Both round every product and sum once, so the sum of the absolute terms bounds their difference.
    let magnitude = Operands {
        input: operands.input.clone().abs(),
        weight: operands.weight.clone().abs(),
        bias: operands.bias.clone().abs(),
        ..operands.clone()
    };
    let bound = magnitude.by_burn(OFFSET_GROUPS) * (2 * (CHANNELS * 9 + 16)) as f32 * (f32::EPSILON / 2.0);
    let difference = (ours - operands.by_burn(OFFSET_GROUPS)).abs();
    let share = (difference / bound).max().try_into_scalar::<f32>()?;
    println!("deform in burn's tensors: the largest difference from burn's own operator is {share:.4} of the bound");
    ensure!(share < 1.0, "deform and burn differ");
    Ok(())
}
