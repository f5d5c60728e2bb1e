//! Recording waits for no thread that plans or compiles. Each test holds one thread at a channel, and releases it after
//! another has recorded, or has failed to do so within a minute.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::engine::Engine;
use super::{Call, Expected, Gpu, Planned, Prepared, Tensor};
use crate::dtype::Dtype;
use crate::error::{DeviceError, Error, Result};
use crate::kernel::activation::activate;
use crate::kernel::shared::activation_kinds::RELU;
use crate::kernel::{Sampling, Specialization, Storage};
use crate::plan::{Plan, Scratch, Size};

/// Plans the activation of so many elements. The call also leases scratch, which no step uses.
fn planned(gpu: &Gpu, elements: u64) -> Result<Planned> {
    let limits = gpu.limits();
    let (output, output_base) = limits.window("output", 0, elements);
    let params = activate::Params { elements, kind: RELU, output_base };
    let step = limits.step(&activate::KERNEL, Storage::F32, params, vec![output], 1)?;
    let scratch = vec![Scratch { name: "unused", size: Size::Bytes(4 * elements) }];
    let because = "the plan";
    let output = Expected { operand: "output", shape: vec![elements.try_into().unwrap()], dtype: Dtype::F32, because };
    Ok(Planned {
        plan: Plan { steps: vec![step], scratch, ..Plan::default() },
        operands: vec![output],
        ..Planned::default()
    })
}

/// Runs `work`, which says that it is inside and then waits to be released, on one thread, and meanwhile records a
/// prepared call on another, and prepares it once more.
fn record_while(gpu: &Gpu, engine: &Engine<u64>, work: impl FnOnce(&Sender<()>, &Receiver<()>) + Send) {
    let prepared: Prepared<()> = engine.prepare(&16, || planned(gpu, 16)).unwrap();
    let output = Tensor::upload(gpu, [16], &[-1.0f32; 16]).unwrap();
    let record = || {
        let call = Call { operands: vec![("output", &output)], ..Call::default() };
        let again: Prepared<()> = engine.prepare(&16, || Err(Error::UnknownOperand { operand: "it is prepared" }))?;
        prepared.bind_call(&call)?;
        again.submit_call(&call)
    };
    let ((inside, entered), (release, released)) = (channel(), channel());
    let (recorded, result) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || work(&inside, &released));
        entered.recv().unwrap();
        scope.spawn(move || recorded.send(record()));
        let result = result.recv_timeout(Duration::from_secs(60));
        release.send(()).unwrap();
        result.expect("the recording waits for the other thread").unwrap();
    });
    assert_eq!(output.download::<f32>().unwrap(), [0.0; 16]);
}

#[test]
fn recording_does_not_wait_while_another_call_is_planned() {
    let gpu = Gpu::new().unwrap();
    let engine = Engine::new(&gpu);
    record_while(&gpu, &engine, |inside, released| {
        let plan = || {
            inside.send(()).unwrap();
            released.recv().unwrap();
            planned(&gpu, 1000)
        };
        let prepared: Prepared<()> = engine.prepare(&1000, plan).unwrap();
        assert_eq!(prepared.plan().memory_bytes(), 4000);
    });
}

#[test]
fn recording_does_not_wait_while_another_kernel_is_compiled() {
    let gpu = Gpu::new().unwrap();
    let engine = Engine::new(&gpu);
    record_while(&gpu, &engine, |inside, released| {
        let other = Specialization { sampling: Sampling::Regular, ..Storage::PackedF16.into() };
        let compile = || {
            inside.send(()).unwrap();
            released.recv().unwrap();
            Err(Error::Device { cause: DeviceError::Internal, message: "compiled nothing".into() })
        };
        assert!(gpu.pipelines().get_or((activate::KERNEL.name, other), compile).is_err());
    });
}

/// A kernel that did not compile is compiled again, and one that did is not.
#[test]
fn a_kernel_is_compiled_until_that_succeeds() {
    let gpu = Gpu::new().unwrap();
    let key = (activate::KERNEL.name, Storage::F32.into());
    let failed = || Err(Error::Device { cause: DeviceError::OutOfMemory, message: String::new() });
    assert!(gpu.pipelines().get_or(key, failed).is_err());
    let step = &planned(&gpu, 4).unwrap().plan.steps[0];
    let compiled = gpu.pipeline(step).unwrap();
    let again = gpu.pipelines().get_or(key, failed).unwrap();
    assert!(std::sync::Arc::ptr_eq(&compiled, &again));
}
