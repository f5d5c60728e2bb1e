//! Bad input on the device: each mistake has a typed error, and the same objects work afterwards.

use deform::{Algorithm, DeformConv2d, Dtype, Error, Inputs, Options, Tensor};

use crate::device::{check, default_limits_gpu, gpu, operator, poison, upload, upload_to};
use crate::support::case::{Case, PLAIN, padded};

fn case() -> Case {
    // The columns algorithm has a workspace on every device.
    Case::new("plain", PLAIN, Options { algorithm: Algorithm::Columns, ..padded() })
}

/// The arguments of `record_forward`.
struct Call {
    inputs: Inputs<Tensor>,
    output: Tensor,
    workspace: Tensor,
    options: Options,
}

/// Returns the error of recording the case with one argument changed, and checks that a good call still works after it.
fn record(change: impl FnOnce(&mut Call)) -> Error {
    let case = case();
    let plan = operator().prepare(&case.shape_slices(), case.options).unwrap();
    let mut call = Call {
        inputs: upload(&case),
        output: poison(&case.geometry().output_shape()),
        workspace: poison(&[(plan.workspace_bytes / 4) as usize]),
        options: case.options,
    };
    change(&mut call);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let inputs = call.inputs.map(|tensor| tensor);
    let error =
        operator().record_forward(&mut encoder, &inputs, &call.output, &call.workspace, call.options).unwrap_err();
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
    let error = record(|call| call.workspace = poison(&[1511]));
    assert_eq!(error, Error::WorkspaceTooSmall { needed: 6048, got: 6044 });
    for limit in [0, 1, 1511] {
        let error = record(|call| call.options.workspace_limit = limit);
        assert!(matches!(error, Error::WorkspaceTooSmall { needed: 1512, .. }), "{error}");
    }
}

#[test]
fn shared_buffers_are_refused() {
    let error = record(|call| call.output = Tensor::clone(&call.inputs.input));
    assert_eq!(error, Error::Aliased { operand: "output", other: "input" });
    let error = record(|call| call.output = part_of(&call.workspace, &[1, 4, 7, 6]));
    assert_eq!(error, Error::Aliased { operand: "output", other: "workspace" });
    // The workspace counts even if the plan does not need it.
    let error = record(|call| {
        call.options.algorithm = Algorithm::Direct;
        call.output = part_of(&call.workspace, &[1, 4, 7, 6]);
    });
    assert_eq!(error, Error::Aliased { operand: "output", other: "workspace" });
    let error = record(|call| call.inputs.bias = Some(part_of(&call.workspace, &[4])));
    assert_eq!(error, Error::Aliased { operand: "workspace", other: "bias" });
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

#[test]
fn a_destroyed_buffer_leaves_the_encoder_usable() {
    let error = record(|call| call.inputs.weight.buffer().destroy());
    assert!(matches!(error, Error::Device { .. }), "{error}");
}

#[test]
fn an_algorithm_that_the_device_cannot_run_is_refused() {
    // The device lacks the subgroup feature.
    let case = Case::new("plain", PLAIN, Options { algorithm: Algorithm::FusedSubgroup, ..padded() });
    let operator = DeformConv2d::new(default_limits_gpu());
    let error = operator.prepare(&case.shape_slices(), case.options).unwrap_err();
    assert!(matches!(&error, Error::Unsuitable { algorithm, .. } if algorithm == "fused_subgroup"), "{error}");
    operator.prepare(&case.shape_slices(), padded()).unwrap();
}
