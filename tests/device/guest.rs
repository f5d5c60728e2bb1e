//! Use inside another program, the host: calls are recorded into its encoder and passes, on a device with exactly
//! WebGPU's default limits.

use deform::layers::{CycleFc, CycleFcOptions, DeformableConv2d, DeformableConv2dOptions, Mask};
use deform::ops::conv2d::{self, Activation, Conv2d};
use deform::ops::deform_conv2d::{Mode, Operand};
use deform::ops::shift::{Border, ChannelShift, s2_mlp_v1};
use deform::{DeformConv2d, Dtype, Gpu, Gradients, Inputs, Tensor, wgpu};

use crate::device::{callers_gpu, default_limits_gpu, poison_on, random_on, upload_to};
use crate::gradients::check_with_small_limits;
use crate::support::case::{Case, PLAIN, Sizes, padded};

/// The host's own shader: adds one to every element of a buffer.
const HOST: &str = "
@group(0) @binding(0) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&values) { values[id.x] += 1.0; }
}";

pub struct Host {
    pub pipeline: wgpu::ComputePipeline,
}

impl Host {
    pub fn new(gpu: &Gpu) -> Self {
        let source = wgpu::ShaderSource::Wgsl(HOST.into());
        let module = gpu.device().create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let pipeline = gpu.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        Self { pipeline }
    }

    pub fn group(&self, gpu: &Gpu, tensor: &Tensor) -> wgpu::BindGroup {
        gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: tensor.buffer().as_entire_binding() }],
        })
    }

    /// Adds one to a tensor, in a pass that is already begun.
    fn add_one(&self, gpu: &Gpu, pass: &mut wgpu::ComputePass<'_>, tensor: &Tensor) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group(gpu, tensor), &[]);
        pass.dispatch_workgroups((tensor.bytes() / 256 + 1).try_into().unwrap(), 1, 1);
    }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.download().unwrap()
}

/// Fills the generators' parameters with random numbers.
fn randomise_generators(layer: &DeformableConv2d) {
    for (_, parameter) in layer.generator_parameters() {
        let count: usize = parameter.value().shape().iter().product();
        let noise: Vec<f32> = (0..count).map(|n| 0.1 * ((n * 7919 % 1021) as f32 / 510.5 - 1.0)).collect();
        parameter.value().write(&noise).unwrap();
    }
}

/// Records every kind of call into one submission, some into the encoder and some into a pass between the host's own
/// dispatches. Each call must give the same bits as alone, and must see what the host has written before it.
#[test]
fn calls_recorded_between_the_hosts_own_give_the_same_bits() {
    let gpu = default_limits_gpu();
    assert_eq!(gpu.device().limits(), wgpu::Limits::default());
    assert_eq!(gpu.device().features(), wgpu::Features::empty());
    let host = Host::new(gpu);
    let operator = DeformConv2d::new(gpu);
    let conv2d = Conv2d::new(operator.gpu());

    let sizes = Sizes { batch: 2, in_channels: 8, out_channels: 8, input: [12, 11], ..PLAIN };
    let case = Case::new("guest", sizes, padded());
    let inputs = upload_to(gpu, &case);
    let inputs = inputs.as_ref();
    let shapes = case.shape_slices();
    let plain = conv2d::Inputs { input: inputs.input, weight: inputs.weight, bias: inputs.bias };
    let options = conv2d::Options { padding: [1, 1], activation: Activation::Sigmoid, ..Default::default() };
    let grad_output = Tensor::upload(gpu, case.geometry().output_shape(), &case.grad_output()).unwrap();
    let shift = ChannelShift::new(gpu, &s2_mlp_v1(8).unwrap(), Border::Keep).unwrap();
    let layer_options =
        DeformableConv2dOptions { mask: Mask::TwiceSigmoid, ..DeformableConv2dOptions::new(8, 6, [3, 3]) };
    let layer = DeformableConv2d::new(&operator, layer_options, 1).unwrap();
    randomise_generators(&layer);
    let cycle = CycleFc::new(&operator, CycleFcOptions::new(8, 5, [1, 3]), 2).unwrap();
    let grad_layer = random_on(gpu, [2, 6, 12, 11], 3);
    let grad_cycle = random_on(gpu, [2, 5, 12, 11], 4);

    // The results of each call alone.
    let forward = operator.forward(&inputs, case.options).unwrap();
    let gradients = operator.backward(&inputs, &grad_output, Gradients::ALL, case.options).unwrap();
    let conv = conv2d.forward(&plain, options).unwrap();
    let conv_gradients = conv2d.backward(&plain, &conv, &grad_output, conv2d::Gradients::ALL, options).unwrap();
    let shifted = shift.forward(inputs.input).unwrap();
    let layer_forward = layer.forward(inputs.input).unwrap();
    let layer_gradient = layer.backward(inputs.input, &layer_forward, &grad_layer, Mode::Write).unwrap();
    let layer_weight = values(layer.offset_conv.weight().gradient());
    let cycle_output = cycle.forward(inputs.input).unwrap();
    let cycle_gradient = cycle.backward(inputs.input, &cycle_output, &grad_cycle, Mode::Write).unwrap();

    // Everything is allocated and prepared before the calls are recorded.
    let input_shape = inputs.input.shape();
    let modes = Gradients::ALL.map(|_| Mode::Write);
    let conv_modes = conv2d::Gradients { input: Mode::Write, weight: Mode::Write, bias: Mode::Write };
    let prepared = operator.prepare(&shapes, Dtype::F32, case.options).unwrap().poisoned().unwrap();
    let prepared_backward = operator.prepare_backward(&shapes, Dtype::F32, modes, case.options).unwrap();
    let prepared_conv = conv2d.prepare(&plain.shapes(), Dtype::F32, options).unwrap();
    let prepared_conv_backward = conv2d.prepare_backward(&plain.shapes(), Dtype::F32, conv_modes, options).unwrap();
    let prepared_layer = layer.prepare(input_shape).unwrap();
    let prepared_layer_backward = layer.prepare_backward(input_shape, Mode::Write).unwrap();
    let prepared_cycle = cycle.prepare(input_shape).unwrap();
    let prepared_cycle_backward = cycle.prepare_backward(input_shape, Mode::Write).unwrap();
    let prepared_shift = shift.prepare(input_shape, Dtype::F32).unwrap();
    let (made, back) = (prepared_layer.allocate().unwrap(), prepared_layer_backward.allocate().unwrap());
    let like = |tensor: &Tensor| poison_on(gpu, tensor.shape());
    let recorded_forward = like(&forward);
    let recorded_packed = like(&forward);
    let recorded_conv = like(&conv);
    let recorded_shift = like(&shifted);
    let recorded_cycle = like(&cycle_output);
    let targets = gradients.map(|gradient| gradient.as_ref().map(like));
    let conv_gradients = Gradients::from(conv_gradients);
    let conv_targets = conv_gradients.map(|gradient| gradient.as_ref().map(like));
    let cycle_shifted = like(inputs.input);
    let cycle_back = like(inputs.input);
    let cycle_input = like(inputs.input);
    // The host adds one to this tensor before deform reads it.
    let moving: Vec<f32> = case.operands.input.iter().map(|value| value - 1.0).collect();
    let moving = Tensor::upload(gpu, input_shape, &moving).unwrap();
    let moved_alone: Vec<f32> = values(&moving).iter().map(|value| value + 1.0).collect();
    let moved = like(&shifted);

    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    let packed = prepared.record_pack_weight(&mut encoder, inputs.weight).unwrap();
    operator.record_forward(&mut encoder, &inputs, &recorded_forward, case.options).unwrap();
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        host.add_one(gpu, &mut pass, &moving);
        prepared.record(&mut pass, &inputs.with_weight(&packed), &recorded_packed).unwrap();
        prepared_shift.record(&mut pass, &moving, &moved).unwrap();
        let targets = targets.map(Option::as_ref);
        prepared_backward.record(&mut pass, &inputs, &grad_output, &targets).unwrap();
        host.add_one(gpu, &mut pass, &moving);
        prepared_layer.record(&mut pass, inputs.input, &made).unwrap();
        prepared_layer_backward.record(&mut pass, inputs.input, &made, &grad_layer, &back).unwrap();
    }
    prepared_conv.record(&mut encoder, &plain, &recorded_conv).unwrap();
    let gradients_to = conv2d::Gradients::from(conv_targets.map(Option::as_ref));
    prepared_conv_backward.record(&mut encoder, &plain, &recorded_conv, &grad_output, &gradients_to).unwrap();
    shift.record_forward(&mut encoder, inputs.input, &recorded_shift).unwrap();
    prepared_cycle.record(&mut encoder, inputs.input, &cycle_shifted, &recorded_cycle).unwrap();
    let between = [&cycle_back, &cycle_input];
    prepared_cycle_backward.record(&mut encoder, &cycle_shifted, &recorded_cycle, &grad_cycle, between).unwrap();
    gpu.queue().submit([encoder.finish()]);

    assert_eq!(values(&recorded_forward), values(&forward));
    assert_eq!(values(&recorded_packed), values(&forward), "with the weight packed in the same submission");
    for (operand, got) in targets.iter() {
        assert_eq!(values(got.as_ref().unwrap()), values(gradients[operand].as_ref().unwrap()), "{operand}");
    }
    assert_eq!(values(&recorded_conv), values(&conv));
    for operand in [Operand::Input, Operand::Weight, Operand::Bias] {
        let (got, want) = (conv_targets[operand].as_ref(), conv_gradients[operand].as_ref());
        assert_eq!(values(got.unwrap()), values(want.unwrap()), "{operand} of the ordinary convolution");
    }
    assert_eq!(values(&recorded_shift), values(&shifted));
    let moved_alone = shift.forward(&Tensor::upload(gpu, input_shape, &moved_alone).unwrap()).unwrap();
    assert_eq!(values(&moved), values(&moved_alone), "the shift of what the host has written");
    assert_eq!(values(&made.output), values(&layer_forward.output));
    assert_eq!(values(&back.input), values(&layer_gradient));
    assert_eq!(values(layer.offset_conv.weight().gradient()), layer_weight);
    assert_eq!(values(&recorded_cycle), values(&cycle_output));
    assert_eq!(values(&cycle_input), values(&cycle_gradient));
}

/// A caller's device with the required limits and features has the same limits as deform's own, and so the same plans.
#[test]
fn required_limits_and_features_give_the_limits_of_our_own_device() {
    let own = crate::device::gpu();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: Gpu::required_limits(&adapter),
        required_features: Gpu::required_features(&adapter),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    assert_eq!(Gpu::from_wgpu(device, queue).limits(), own.limits());
    let shapes: Inputs<&[usize]> =
        Inputs { input: &[1, 4, 8, 8], offset: &[1, 18, 8, 8], weight: &[4, 4, 3, 3], mask: None, bias: None };
    assert!(!DeformConv2d::new(own).prepare(&shapes, Dtype::F32, padded()).unwrap().plan().steps.is_empty());
}

/// The bindings of this device may be larger than any buffer. The columns' gradients, 1.3 MB in one piece, must be cut
/// to the size of a buffer.
#[test]
fn no_buffer_exceeds_the_devices_largest() {
    let gpu = callers_gpu(wgpu::Limits { max_buffer_size: 1 << 20, ..wgpu::Limits::default() });
    assert_eq!(gpu.limits().max_binding_bytes, 1 << 20);
    let case = Case::new("small buffers", Sizes { in_channels: 16, input: [48, 48], ..PLAIN }, padded());
    check_with_small_limits(&gpu, 1 << 20, &case);
}
