//! Bad input on the device: each mistake has a typed error, and the same objects work afterwards.

use deform::error::DeviceError;
use deform::ops::deform_conv2d::Algorithm;
use deform::{DeformConv2d, Dtype, Error, Gpu, Inputs, Options, Tensor, wgpu};

use crate::device::{callers_gpu, check, default_limits_gpu, gpu, operator, poison, upload, upload_to};
use crate::support::case::{Case, PLAIN, padded};

fn case() -> Case {
    // The columns algorithm has a workspace on every device.
    Case::new("plain", PLAIN, Options { algorithm: Algorithm::Columns, ..padded() })
}

/// The arguments of `record_forward`.
struct Call {
    inputs: Inputs<Tensor>,
    output: Tensor,
    options: Options,
}

/// Returns the error of recording the case with one argument changed, and checks that a good call still works after it.
fn record(change: impl FnOnce(&mut Call)) -> Error {
    let case = case();
    let mut call =
        Call { inputs: upload(&case), output: poison(&case.geometry().output_shape()), options: case.options };
    change(&mut call);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let inputs = call.inputs.as_ref();
    let error = operator().record_forward(&mut encoder, &inputs, &call.output, call.options).unwrap_err();
    // The encoder must still work, and so must everything else.
    gpu().queue().submit([encoder.finish()]);
    check(&case);
    error
}

#[test]
fn operands_of_the_wrong_shape_are_refused() {
    let error = record(|call| call.inputs.bias = Some(Tensor::upload(gpu(), [5], &[0.0f32; 5]).unwrap()));
    assert_eq!(error.to_string(), "bias axis 0 is 5, expected 4 (the output channels, weight axis 0)");
    let error = record(|call| call.output = poison(&[1, 4, 6, 7]));
    assert!(matches!(error, Error::Axis { operand: "output", axis: 2, expected: 7, got: 6, .. }), "{error}");
    let error = record(|call| call.output = poison(&[4, 7, 6]));
    assert_eq!(error, Error::Rank { operand: "output", expected: 4, got: 3 });
    let error = record(|call| call.options.stride[1] = 0);
    assert!(matches!(error, Error::ZeroOption { option: "stride", axis: 1, .. }), "{error}");
}

#[test]
fn mixed_element_types_are_refused() {
    let halves = |shape: &[usize]| {
        let zeros = vec![half::f16::ZERO; shape.iter().product()];
        Tensor::upload(gpu(), shape, &zeros).unwrap()
    };
    let error = record(|call| call.inputs.weight = halves(&[4, 4, 3, 3]));
    assert_eq!(error, Error::Dtype { operand: "weight", expected: Dtype::F32, got: Dtype::F16 });
    let error = record(|call| call.output = halves(&[1, 4, 7, 6]));
    assert_eq!(error, Error::Dtype { operand: "output", expected: Dtype::F32, got: Dtype::F16 });
    let error = halves(&[3]).download::<f32>().unwrap_err();
    assert!(matches!(error, Error::Dtype { expected: Dtype::F32, got: Dtype::F16, .. }), "{error}");
}

#[test]
fn wrong_element_counts_are_refused() {
    let error = Tensor::upload(gpu(), [2, 3], &[0.0f32; 5]).unwrap_err();
    assert_eq!(error, Error::ElementCount { shape: vec![2, 3], expected: 6, got: 5 });
    for shape in [[usize::MAX, 2], [1 << 40, 1 << 40]] {
        assert!(matches!(Tensor::new(gpu(), shape, Dtype::F32).unwrap_err(), Error::TooLarge { .. }));
    }
    for count in [1usize << 40, 1 << 62, usize::MAX] {
        assert!(matches!(Tensor::new(gpu(), [count], Dtype::F32).unwrap_err(), Error::BufferTooLarge { .. }));
    }
}

#[test]
fn workspaces_that_are_too_small_are_refused() {
    for limit in [0, 1, 1511] {
        let error = record(|call| call.options.workspace_limit = limit);
        assert!(matches!(error, Error::WorkspaceTooSmall { needed: 1512, .. }), "{error}");
    }
}

#[test]
fn shared_buffers_are_refused() {
    let error = record(|call| call.output = Tensor::clone(&call.inputs.input));
    assert_eq!(error, Error::Aliased { operand: "output", other: "input" });
    let error = record(|call| call.inputs.bias = Some(part_of(&call.output, &[4])));
    assert_eq!(error, Error::Aliased { operand: "output", other: "bias" });
}

pub fn part_of(tensor: &Tensor, shape: &[usize]) -> Tensor {
    Tensor::from_buffer(gpu(), tensor.buffer().clone(), 0, shape, Dtype::F32).unwrap()
}

#[test]
fn tensors_of_another_device_are_refused() {
    let foreign = upload_to(default_limits_gpu(), &case());
    let error = record(|call| call.inputs.weight = foreign.weight);
    assert_eq!(error, Error::OtherDevice { operand: "weight" });
}

#[test]
fn unsuitable_buffers_are_refused() {
    let tensor = poison(&[128]);
    let part = |offset, shape: &[usize]| Tensor::from_buffer(gpu(), tensor.buffer().clone(), offset, shape, Dtype::F32);
    assert!(part(256, &[64]).is_ok());
    for (offset, shape) in [(256, 65), (4, 1), (512, 1), (u64::MAX - 255, 1), (0, usize::MAX)] {
        let error = part(offset, &[shape]).unwrap_err();
        assert!(matches!(error, Error::UnsuitableBuffer { .. }), "{error}");
    }
}

/// A caller's buffer need not have the usages of the crate's own.
#[test]
fn a_download_from_a_buffer_that_cannot_be_copied_is_refused() {
    let usage = wgpu::BufferUsages::STORAGE;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 256, usage, mapped_at_creation: false };
    let tensor = Tensor::from_buffer(gpu(), gpu().device().create_buffer(&descriptor), 0, [64], Dtype::F32).unwrap();
    for (error, needed) in [
        (tensor.download::<f32>().unwrap_err(), "COPY_SRC"),
        (pollster::block_on(tensor.download_async::<f32>()).unwrap_err(), "COPY_SRC"),
        (tensor.write(&[0.0f32; 64]).unwrap_err(), "COPY_DST"),
    ] {
        let reason = format!("its usage is STORAGE, without {needed}");
        assert_eq!(error, Error::UnsuitableBuffer { reason });
    }
}

/// WebGPU's compatibility mode has devices with fewer bindings than its defaults.
#[test]
fn a_device_with_too_few_bindings_is_refused_by_its_limit() {
    let few = wgpu::Limits { max_storage_buffers_per_shader_stage: 3, ..wgpu::Limits::default() };
    let prepared =
        |limits| DeformConv2d::new(&callers_gpu(limits)).prepare(&case().shape_slices(), Dtype::F32, case().options);
    let error = prepared(few).map(drop).unwrap_err();
    let Error::TooLarge { what, limit: 3, .. } = &error else { panic!("{error}") };
    assert!(what.starts_with("the number of buffers of forward/"), "{what}");

    let none = wgpu::Limits { max_storage_buffer_binding_size: 0, ..wgpu::Limits::default() };
    let error = prepared(none).map(drop).unwrap_err();
    assert_eq!(error, Error::MissingFeature { feature: "storage buffers" });
}

#[test]
fn a_destroyed_buffer_leaves_the_encoder_usable() {
    let error = record(|call| call.inputs.weight.buffer().destroy());
    assert!(matches!(error, Error::Device { cause: DeviceError::Validation, .. }), "{error}");
}

/// wgpu reports the loss of a device to one callback and to nothing else.
#[test]
fn a_lost_device_is_told_apart_from_other_errors() {
    let lost = |error: &Error| matches!(error, Error::Device { cause: DeviceError::Lost, .. });
    let own = Gpu::new().unwrap();
    let tensor = Tensor::upload(&own, [4], &[1.0f32; 4]).unwrap();
    own.device().destroy();
    let error = own.wait().unwrap_err();
    assert!(lost(&error), "{error}");
    for error in [tensor.download::<f32>().unwrap_err(), tensor.write(&[2.0f32; 4]).unwrap_err()] {
        assert!(lost(&error), "{error}");
    }

    // The callback of this device belongs to the caller, who reports the loss.
    let callers = callers_gpu(wgpu::Limits::default());
    let tensor = Tensor::upload(&callers, [4], &[1.0f32; 4]).unwrap();
    callers.device().destroy();
    let error = tensor.download::<f32>().unwrap_err();
    assert!(!lost(&error) && error.to_string().contains("the device may be lost"), "{error}");
    callers.clone().mark_lost("the caller says so");
    let error = tensor.download::<f32>().unwrap_err();
    assert_eq!(error, Error::Device { cause: DeviceError::Lost, message: "the caller says so".into() });
}

#[test]
fn a_pipeline_cache_needs_the_feature() {
    let bare = default_limits_gpu().clone();
    let with_feature = Gpu::new().unwrap();
    let adapter = Gpu::adapters().into_iter().find(|adapter| adapter.get_info() == *with_feature.info()).unwrap();
    let has = |features: wgpu::Features| features.contains(wgpu::Features::PIPELINE_CACHE);
    assert_eq!(has(with_feature.device().features()), has(adapter.features()));
    if has(adapter.features()) {
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: true };
        #[allow(
            unsafe_code,
            reason = "wgpu cannot check that the data of a cache comes from wgpu; here there is no data"
        )]
        let cache = unsafe { with_feature.device().create_pipeline_cache(&descriptor) };
        let error = bare.with_pipeline_cache(cache).unwrap_err();
        assert_eq!(error, Error::MissingFeature { feature: "PIPELINE_CACHE" });
    }
}

#[test]
fn an_algorithm_that_the_device_cannot_run_is_refused() {
    // The device lacks the subgroup feature.
    let case = Case::new("plain", PLAIN, Options { algorithm: Algorithm::FusedSubgroup, ..padded() });
    let operator = DeformConv2d::new(default_limits_gpu());
    let error = operator.prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap_err();
    assert!(matches!(&error, Error::Unsuitable { algorithm, .. } if algorithm == "fused_subgroup"), "{error}");
    operator.prepare(&case.shape_slices(), Dtype::F32, padded()).unwrap();
}
