//! Prepared calls: how long they last, the memory they hold, and the frames that record them.

use std::sync::Barrier;

use deform::layers::{DeformableConv2d, DeformableConv2dOptions, Mask};
use deform::ops::activation::{Activate, Activation};
use deform::ops::deform_conv2d::{Algorithm, Mode};
use deform::{DeformConv2d, Dtype, Error, Gpu, Gradients, Inputs, Options, Tensor};

use crate::backward::{all, modes};
use crate::device::{distinct_algorithms, gpu, operator, poison, poison_on, random_on, run, upload, upload_to};
use crate::support::case::{Case, PLAIN, Sizes, padded};

/// Returns the objects that exist on a device, by wgpu's counters: buffers, views, bind groups, and the bytes of
/// buffers and textures. wgpu's counter of textures counts only their ends. A test that compares objects has its own
/// device, because others make objects on the shared one.
fn objects(gpu: &Gpu) -> [isize; 5] {
    // What the last submission used is freed once the device is done with it.
    gpu.queue().submit([]);
    gpu.wait().unwrap();
    let hal = gpu.device().get_internal_counters().hal;
    [&hal.buffers, &hal.texture_views, &hal.bind_groups, &hal.buffer_memory, &hal.texture_memory]
        .map(|counter| counter.read())
}

fn sized(input: [usize; 2]) -> Case {
    Case::new("one of many", Sizes { input, ..PLAIN }, padded())
}

/// Prepares both calls of a case.
fn prepare(operator: &DeformConv2d, case: &Case) -> impl Sized + use<> {
    let (shapes, modes) = (case.shape_slices(), modes(&all(case)));
    let forward = operator.prepare(&shapes, Dtype::F32, case.options).unwrap();
    (forward, operator.prepare_backward(&shapes, Dtype::F32, modes, case.options).unwrap())
}

#[test]
fn many_handles_hold_the_scratch_of_the_largest_and_leave_nothing() {
    let gpu = Gpu::new().unwrap();
    let operator = DeformConv2d::new(&gpu);
    let largest = sized([119, 119]);
    // The first handles compile the kernels, whose objects stay.
    drop(prepare(&operator, &largest));
    let nothing = objects(&gpu);
    let one = prepare(&operator, &largest);
    let of_largest = objects(&gpu);
    drop(one);
    assert_eq!(objects(&gpu), nothing);

    let handles: Vec<_> = (20..120).map(|side| prepare(&operator, &sized([side, side]))).collect();
    let of_all = objects(&gpu);
    // Each call has its own uniforms.
    assert_eq!(of_all[0] - of_largest[0], 2 * 99);
    assert_eq!([of_all[1], of_all[4]], [of_largest[1], of_largest[4]]);
    drop(handles);
    assert_eq!(objects(&gpu), nothing);
}

#[test]
fn scratch_shrinks_with_the_largest_handle() {
    let gpu = Gpu::new().unwrap();
    let operator = DeformConv2d::new(&gpu);
    let (small, large) = (sized([12, 12]), sized([64, 64]));
    let inputs = upload_to(&gpu, &small);
    let output = poison_on(&gpu, &small.geometry().output_shape());
    let prepared = operator.prepare(&small.shape_slices(), Dtype::F32, small.options).unwrap();
    let record = || {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        prepared.record(&mut encoder, &inputs.as_ref(), &output).unwrap();
        gpu.queue().submit([encoder.finish()]);
    };
    record();
    let alone = objects(&gpu);
    let handle = prepare(&operator, &large);
    record();
    let with_large = objects(&gpu);
    assert!(with_large[3] + with_large[4] > alone[3] + alone[4], "{with_large:?}, {alone:?}");
    drop(handle);
    record();
    assert_eq!(objects(&gpu), alone);
    assert!(output.download::<f32>().unwrap() == run(&small));
}

/// The operator keeps 64 calls that no handle holds. Those that one holds are found however many follow.
#[test]
fn a_handle_is_found_again_after_more_calls_than_an_operator_keeps() {
    let gpu = Gpu::new().unwrap();
    let operator = DeformConv2d::new(&gpu);
    // Each texture of packed input is narrower and taller than the last.
    let case = |n: usize| sized([10 + n, 80 - n]);
    let record = |case: &Case| {
        let inputs = upload_to(&gpu, case);
        let output = poison_on(&gpu, &case.geometry().output_shape());
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        operator.record_forward(&mut encoder, &inputs.as_ref(), &output, case.options).unwrap();
        gpu.queue().submit([encoder.finish()]);
        output.download::<f32>().unwrap()
    };
    let first = case(0);
    let handle = operator.prepare(&first.shape_slices(), Dtype::F32, first.options).unwrap();
    let expected = run(&first);
    (1..66).for_each(|n| drop(record(&case(n))));
    let before = objects(&gpu);
    let [forward, other] = [&first, &case(1)].map(|case| {
        assert!(record(case) == run(case));
        objects(&gpu)
    });
    // The first call was there. It is now one of the 64 that the operator keeps, and pushed one of them out.
    assert_eq!(before[0] - forward[0], 1, "{before:?}, {forward:?}");
    // The second call was pushed out before. It pushes out another.
    assert_eq!(other[0], forward[0], "{forward:?}, {other:?}");
    assert!(record(&first) == expected);
    drop(handle);
}

/// Eleven layers make 66 calls, which are more than one operator keeps.
#[test]
fn layers_of_one_operator_keep_their_own_calls() {
    let gpu = Gpu::new().unwrap();
    let operator = DeformConv2d::new(&gpu);
    let options = DeformableConv2dOptions::new(4, 4, [3, 3]);
    let layers: Vec<_> = (0..11).map(|seed| DeformableConv2d::new(&operator, options, seed).unwrap()).collect();
    let input = random_on(&gpu, [1, 4, 8, 8], 1);
    let train = |layer: &DeformableConv2d| {
        let forward = layer.forward(&input).unwrap();
        layer.backward(&input, &forward, &forward.output, Mode::Write).unwrap();
    };
    let nothing = objects(&gpu)[0];
    train(&layers[0]);
    let one = objects(&gpu)[0] - nothing;
    train(&layers[1]);
    let more = objects(&gpu)[0] - nothing - one;
    assert_eq!(more, 6, "a forward and a backward call of each of the three convolutions");
    layers[2..].iter().for_each(train);
    assert_eq!(objects(&gpu)[0] - nothing, one + 10 * more);
    layers.iter().for_each(train);
    assert_eq!(objects(&gpu)[0] - nothing, one + 10 * more);
}

/// Bound calls keep their scratch when larger scratch takes its place in the pool.
#[test]
fn encoders_recorded_in_parallel_may_be_submitted_in_any_order() {
    let options = Options { algorithm: Algorithm::Columns, ..padded() };
    let cases = [[9, 9], [40, 30], [7, 20], [31, 33]]
        .map(|input| Case::new("parallel", Sizes { in_channels: 8, input, ..PLAIN }, options));
    let operator = DeformConv2d::new(gpu());
    let together = Barrier::new(cases.len());
    let mut recorded: Vec<_> = std::thread::scope(|scope| {
        let record = |case| {
            let inputs = upload(case);
            let output = poison(&case.geometry().output_shape());
            let mut encoder = gpu().device().create_command_encoder(&Default::default());
            together.wait();
            let prepared = operator.prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap();
            let bound = prepared.bind(&inputs.as_ref(), &output).unwrap();
            for _ in 0..3 {
                bound.record(&mut encoder);
                prepared.record(&mut encoder, &inputs.as_ref(), &output).unwrap();
            }
            (encoder.finish(), output)
        };
        let threads: Vec<_> = cases.iter().map(|case| scope.spawn(move || record(case))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let outputs: Vec<_> = recorded.iter().map(|(_, output)| output.clone()).collect();
    gpu().queue().submit(recorded.drain(..).rev().map(|(commands, _)| commands));
    for (case, output) in cases.iter().zip(outputs) {
        assert!(output.download::<f32>().unwrap() == run(case), "{:?}", case.shapes.input);
    }
}

#[test]
fn the_steps_of_a_call_do_what_the_call_does() {
    for algorithm in distinct_algorithms() {
        let case = Case::new("steps", PLAIN, Options { algorithm, ..padded() });
        let prepared = operator().prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap();
        let (inputs, output) = (upload(&case), poison(&case.geometry().output_shape()));
        let bound = prepared.bind(&inputs.as_ref(), &output).unwrap();
        let twice = bound.clone().then(bound);
        let mut encoder = gpu().device().create_command_encoder(&Default::default());
        let mut steps = Vec::new();
        for (step, alone) in twice.steps() {
            alone.record(&mut encoder.begin_compute_pass(&Default::default()));
            steps.push(step.clone());
        }
        gpu().queue().submit([encoder.finish()]);
        assert!(output.download::<f32>().unwrap() == run(&case), "{algorithm}");
        assert!(steps == [&prepared.plan().steps[..]; 2].concat());
    }
}

#[test]
fn operands_other_than_the_prepared_ones_are_refused() {
    let case = Case::new("prepared", PLAIN, padded());
    let prepared = operator().prepare(&case.shape_slices(), Dtype::F32, case.options).unwrap();
    let inputs = upload(&case);
    let inputs = inputs.as_ref();
    let output = poison(&case.geometry().output_shape());
    let refused = |inputs: Inputs<&Tensor>| prepared.bind(&inputs, &output).unwrap_err();
    assert_eq!(refused(Inputs { mask: None, ..inputs }), Error::MissingOperand { operand: "mask" });
    let wide = poison(&[1, 4, 7, 7]);
    let error = refused(Inputs { input: &wide, ..inputs });
    assert!(matches!(error, Error::Axis { operand: "input", axis: 3, expected: 6, got: 7, .. }), "{error}");
    let half = Tensor::new(gpu(), [4], Dtype::F16).unwrap();
    let error = refused(Inputs { bias: Some(&half), ..inputs });
    assert_eq!(error, Error::Dtype { operand: "bias", expected: Dtype::F32, got: Dtype::F16 });

    let without = Case::new("no mask", Sizes { mask: false, ..PLAIN }, padded());
    let prepared = operator().prepare(&without.shape_slices(), Dtype::F32, case.options).unwrap();
    assert_eq!(prepared.bind(&inputs, &output).unwrap_err(), Error::UnknownOperand { operand: "mask" });

    let only_weight = Gradients { weight: Mode::Write, ..Gradients::default() };
    let backward = operator().prepare_backward(&case.shape_slices(), Dtype::F32, only_weight, case.options).unwrap();
    let target = poison(&case.shapes.weight);
    let targets = Gradients { weight: Some(&target), ..Gradients::default() };
    assert!(backward.bind(&inputs, &output, &targets).is_ok());
    let error = backward.bind(&inputs, &output, &Gradients::default()).unwrap_err();
    assert_eq!(error, Error::MissingOperand { operand: "grad_weight" });
    let bias = poison(&[4]);
    let error = backward.bind(&inputs, &output, &Gradients { bias: Some(&bias), ..targets }).unwrap_err();
    assert_eq!(error, Error::UnknownOperand { operand: "grad_bias" });
}

/// A layer with an activation behind it, both passes bound once and recorded twice in one submission.
#[test]
fn a_bound_layer_and_activation_give_the_bits_of_their_calls() {
    let options = DeformableConv2dOptions { mask: Mask::TwiceSigmoid, ..DeformableConv2dOptions::new(4, 6, [3, 3]) };
    let layer = DeformableConv2d::new(operator(), options, 1).unwrap();
    let activate = Activate::new(gpu());
    let input = random_on(gpu(), [2, 4, 9, 8], 2);
    let grad_output = random_on(gpu(), [2, 6, 9, 8], 3);
    let forward = layer.forward(&input).unwrap();
    activate.forward(&forward.output, Activation::Relu).unwrap();
    let grad_linear = activate.backward(&forward.output, &grad_output, Activation::Relu).unwrap();
    let grad_input = layer.backward(&input, &forward, &grad_linear, Mode::Write).unwrap();
    let grad_weight = layer.regular_conv.weight().gradient().download::<f32>().unwrap();

    let shape = grad_output.shape();
    let prepared = layer.prepare(input.shape()).unwrap();
    let backward = layer.prepare_backward(input.shape(), Mode::Write).unwrap();
    let (made, gradients) = (prepared.allocate().unwrap(), backward.allocate().unwrap());
    let linear = poison(shape);
    let relu = activate.prepare(shape, Dtype::F32, Activation::Relu).unwrap().bind(&made.output).unwrap();
    let relu_backward = activate
        .prepare_backward(shape, Dtype::F32, Activation::Relu)
        .unwrap()
        .bind(&made.output, &grad_output, &linear)
        .unwrap();
    let layer_backward = backward.bind(&input, &made, &linear, &gradients).unwrap();
    let step = prepared.bind(&input, &made).unwrap().then(relu).then(relu_backward).then(layer_backward);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    step.record(&mut encoder);
    step.record(&mut encoder.begin_compute_pass(&Default::default()));
    gpu().queue().submit([encoder.finish()]);
    let same = |got: &Tensor, want: &Tensor| got.download::<f32>().unwrap() == want.download::<f32>().unwrap();
    assert!(same(&made.output, &forward.output));
    assert!(same(&linear, &grad_linear));
    assert!(same(&gradients.input, &grad_input));
    assert!(layer.regular_conv.weight().gradient().download::<f32>().unwrap() == grad_weight);
}
