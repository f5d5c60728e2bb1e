//! The one device of this process, and how tests run a case on it.

use std::io::Write;
use std::sync::OnceLock;

use deform::{DeformConv2d, Dtype, Gpu, Inputs, Tensor};

use crate::support::case::Case;
use crate::support::compare::compare;

/// The device; its adapter is printed once.
pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| {
        let gpu = Gpu::new().expect("an adapter (cargo xtask test installs a software one where it may)");
        let info = gpu.info();
        say(&format!("adapter: {} ({:?}, {})", info.name, info.backend, info.driver_info));
        gpu
    })
}

/// The operator on that device.
pub fn operator() -> &'static DeformConv2d {
    static OPERATOR: OnceLock<DeformConv2d> = OnceLock::new();
    OPERATOR.get_or_init(|| DeformConv2d::new(gpu()))
}

/// Prints past the test harness's capture.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}

pub fn upload(case: &Case) -> Inputs<Tensor> {
    let tensor = |shape: &[usize], values: &[f32]| Tensor::upload(gpu(), shape, values).expect("upload");
    let optional = |shape: Option<&[usize]>, values: Option<&[f32]>| shape.zip(values).map(|(s, v)| tensor(s, v));
    let (shapes, values) = (case.shape_slices(), case.slices());
    Inputs {
        input: tensor(shapes.input, values.input),
        offset: tensor(shapes.offset, values.offset),
        weight: tensor(shapes.weight, values.weight),
        mask: optional(shapes.mask, values.mask),
        bias: optional(shapes.bias, values.bias),
    }
}

/// A tensor full of NaN, so that whatever is left unwritten, or read before it is written, shows.
pub fn poison(shape: &[usize]) -> Tensor {
    Tensor::upload(gpu(), shape, &vec![f32::NAN; shape.iter().product()]).expect("upload")
}

/// Runs the case through `record_forward`, output and workspace poisoned.
pub fn run(case: &Case) -> Vec<f32> {
    let inputs = upload(case);
    let plan = operator().prepare(&case.shape_slices(), case.options).expect("a plan");
    let output = poison(&case.geometry().output_shape());
    let workspace = poison(&[(plan.workspace_bytes / 4) as usize]);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    operator()
        .record_forward(&mut encoder, &inputs.map(|tensor| tensor), &output, &workspace, case.options)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    gpu().queue().submit([encoder.finish()]);
    assert_eq!(output.dtype(), Dtype::F32);
    output.download().expect("download")
}

/// Runs the case and holds every element against the reference. Returns the worst ratio of error to bound.
pub fn check(case: &Case) -> f64 {
    let (want, magnitude) = case.expected();
    compare(&run(case), &want, &magnitude, case.terms()).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}
