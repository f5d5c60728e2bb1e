//! Faults from outside in the middle of the work: each is an error that names it, and the next call on a healthy device
//! gives the right answer.

use std::future::Future;
use std::process::Command;
use std::task::{Context, Poll, Waker};

use deform::error::DeviceError;
use deform::ops::deform_conv2d::Algorithm;
use deform::{DeformConv2d, Dtype, Error, Gpu, Options, Tensor};

use crate::backward::{all, modes};
use crate::device::{check, gpu, noise, poison_on, run, run_on, upload_to};
use crate::support::case::{Case, PLAIN, Sizes, padded};

/// A call that takes scratch.
fn case() -> Case {
    let options = Options { algorithm: Algorithm::Columns, ..padded() };
    Case::new("a fault in the middle", Sizes { in_channels: 8, input: [40, 30], ..PLAIN }, options)
}

fn cause(error: &Error) -> Option<DeviceError> {
    match error {
        Error::Device { cause, .. } => Some(*cause),
        _ => None,
    }
}

/// The commands are recorded before the loss and submitted after it.
#[test]
fn a_device_lost_between_recording_and_submission_is_an_error_everywhere() {
    let case = case();
    let own = Gpu::new().unwrap();
    let operator = DeformConv2d::new(&own);
    let inputs = upload_to(&own, &case);
    let output = poison_on(&own, &case.geometry().output_shape());
    let shapes = case.shape_slices();
    let prepared = operator.prepare(&shapes, Dtype::F32, case.options).unwrap();
    let bound = prepared.bind(&inputs.as_ref(), &output).unwrap();
    let encoder = || own.device().create_command_encoder(&Default::default());
    let [mut submitted, mut waiting, mut after] = [encoder(), encoder(), encoder()];
    prepared.record(&mut submitted, &inputs.as_ref(), &output).unwrap();
    prepared.record(&mut waiting, &inputs.as_ref(), &output).unwrap();
    bound.record(&mut waiting);
    own.queue().submit([submitted.finish()]);
    own.device().destroy();
    own.queue().submit([waiting.finish()]);

    let errors = [
        own.wait().unwrap_err(),
        output.download::<f32>().unwrap_err(),
        prepared.record(&mut after, &inputs.as_ref(), &output).unwrap_err(),
        prepared.bind(&inputs.as_ref(), &output).map(drop).unwrap_err(),
        operator.prepare(&shapes, Dtype::F32, padded()).map(drop).unwrap_err(),
        operator.prepare_backward(&shapes, Dtype::F32, modes(&all(&case)), case.options).map(drop).unwrap_err(),
        operator.forward(&inputs.as_ref(), case.options).map(drop).unwrap_err(),
        Tensor::upload(&own, [4], &[1.0f32; 4]).map(drop).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(cause(&error), Some(DeviceError::Lost), "{error}");
    }
    // The handles of the lost device may outlive it.
    let healthy = Gpu::new().unwrap();
    assert!(run_on(&healthy, &DeformConv2d::new(&healthy), &case) == run(&case));
    drop((bound, prepared, operator, inputs, output));
    check(&case);
}

/// Polls a future once.
fn poll<F: Future>(future: F) -> Option<F::Output> {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn a_dropped_download_leaves_the_tensor_usable() {
    let values = noise(1 << 20, 3);
    let tensor = Tensor::upload(gpu(), [1 << 20], &values).unwrap();
    drop(tensor.download_async::<f32>());
    for _ in 0..3 {
        // The future ends within one poll or is dropped in the middle.
        if let Some(read) = poll(tensor.download_async::<f32>()) {
            assert!(read.unwrap() == values);
        }
        assert!(tensor.download::<f32>().unwrap() == values);
    }
    check(&case());
}

#[test]
fn an_encoder_that_is_never_submitted_leaves_no_trace() {
    let case = case();
    let own = Gpu::new().unwrap();
    let operator = DeformConv2d::new(&own);
    let inputs = upload_to(&own, &case);
    let output = poison_on(&own, &case.geometry().output_shape());
    let prepared = operator.prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap();
    let bound = prepared.bind(&inputs.as_ref(), &output).unwrap();
    for finished in [false, true] {
        let mut encoder = own.device().create_command_encoder(&Default::default());
        prepared.record(&mut encoder, &inputs.as_ref(), &output).unwrap();
        bound.record(&mut encoder);
        operator.record_forward(&mut encoder, &inputs.as_ref(), &output, case.options).unwrap();
        // Dropped as an encoder, and as commands.
        drop(finished.then(|| encoder.finish()));
        assert!(output.download::<f32>().unwrap().iter().all(|value| value.is_nan()));
    }
    let mut encoder = own.device().create_command_encoder(&Default::default());
    bound.record(&mut encoder);
    own.queue().submit([encoder.finish()]);
    assert!(output.download::<f32>().unwrap() == run(&case));
}

/// Runs [`memory_runs_out_in_a_process_of_its_own`] in another process, because the limit holds for a whole process.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_runs_out_is_told_apart_from_other_errors() {
    let program = std::env::current_exe().unwrap();
    let test = "faults::memory_runs_out_in_a_process_of_its_own";
    let ended = Command::new(program).args(["--exact", test, "--ignored", "--nocapture"]).output().unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && printed.contains("1 passed"), "{printed}");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "`memory_that_runs_out_is_told_apart_from_other_errors` runs it"]
fn memory_runs_out_in_a_process_of_its_own() {
    let case = case();
    check(&case);
    // The limit is the present size and two GiB.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap().trim_end_matches("kB").trim();
    let limit = format!("--as={}", (size.parse::<u64>().unwrap() << 10) + (2 << 30));
    let limited = Command::new("prlimit").args(["--pid", &std::process::id().to_string(), &limit]).status().unwrap();
    assert!(limited.success());
    let mut tensors = Vec::new();
    let error = loop {
        match Tensor::new(gpu(), [1 << 26], Dtype::F32) {
            Ok(tensor) => tensors.push(tensor),
            Err(error) => break error,
        }
    };
    assert_eq!(cause(&error), Some(DeviceError::OutOfMemory), "{error}");
    assert!(error.to_string().contains("memory"), "{error}");
    drop(tensors);
    check(&case);
}
