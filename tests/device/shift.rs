//! Compares channel shifts with torch's stored answers, and with the definition in sizes of every kind. All results
//! must be equal, without a tolerance.

use deform::ops::shift::{Border, ChannelShift, as_mlp, cycle_fc, s2_mlp_v1, s2_mlp_v2};
use deform::{Dtype, Error, Gpu, Options, Tensor, wgpu};
use half::f16;

use crate::device::{callers_gpu, default_limits_gpu, gpu, operator, poison};
use crate::support::golden::stored;
use crate::support::numbers::rounded;

/// Computes the operator by its definition, and its gradient by a scatter.
/// The direction of a pass.
#[derive(Debug, Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

fn expected(shape: [usize; 4], input: &[f32], shifts: &[[i32; 2]], border: Border, direction: Direction) -> Vec<f32> {
    let [batch, channels, height, width] = shape;
    let mut output = vec![0.0; input.len()];
    for plane in 0..batch * channels {
        let [down, right] = shifts[plane % channels];
        let at = |y: i32, x: i32| {
            let [y, x] = [y, x].map(|place| usize::try_from(place).unwrap());
            (plane * height + y) * width + x
        };
        let [rows, columns] = [height, width].map(|size| i32::try_from(size).unwrap());
        for y in 0..rows {
            for x in 0..columns {
                let (mut from_y, mut from_x) = (y - down, x - right);
                if border == Border::Wrap {
                    (from_y, from_x) = (from_y.rem_euclid(rows), from_x.rem_euclid(columns));
                }
                let there = (0..rows).contains(&from_y) && (0..columns).contains(&from_x);
                let from = match (there, border) {
                    (true, _) => at(from_y, from_x),
                    (false, Border::Keep) => at(y, x),
                    (false, _) => continue,
                };
                match direction {
                    Direction::Forward => output[at(y, x)] += input[from],
                    Direction::Backward => output[from] += input[at(y, x)],
                }
            }
        }
    }
    output
}

#[test]
fn shifts_meet_every_stored_case() {
    for case in stored(&deform_case::SHIFT, 5) {
        let results = case.call(operator(), Options::default(), true).unwrap()().unwrap();
        assert_eq!(results.len(), 2);
        for result in results {
            // A sum of two f32 numbers has one rounding, so it equals the f64 answer rounded to f32.
            let answer = case.answer(&result.name).unwrap().unwrap().values;
            let answer: Vec<f32> = answer.into_iter().map(rounded).collect();
            assert_eq!(result.download().unwrap().values, answer, "{} {}", case.name, result.name);
        }
    }
}

pub fn run(gpu: &Gpu, shape: [usize; 4], shifts: &[[i32; 2]], border: Border) {
    let operator = ChannelShift::new(gpu, shifts, border).unwrap();
    let count: usize = shape.iter().product();
    // Whole numbers, so that the sums are exact in f16 as well.
    let input: Vec<f32> = (0..count).map(|n| (n * 7919 % 1021) as f32).collect();
    let halves: Vec<f16> = input.iter().map(|&value| f16::from_f32(value)).collect();
    for direction in [Direction::Forward, Direction::Backward] {
        let want = expected(shape, &input, shifts, border, direction);
        let of = |input: &Tensor| match direction {
            Direction::Forward => operator.forward(input).unwrap(),
            Direction::Backward => operator.backward(input).unwrap(),
        };
        let got = of(&Tensor::upload(gpu, shape, &input).unwrap()).download::<f32>().unwrap();
        assert_eq!(got, want, "{shape:?} {border:?} {direction:?}");
        let got = of(&Tensor::upload(gpu, shape, &halves).unwrap()).download::<f16>().unwrap();
        let halves: Vec<f32> = got.into_iter().map(f16::to_f32).collect();
        assert_eq!(halves, want, "{shape:?} {border:?} {direction:?} in f16");
    }
}

#[test]
fn every_border_and_size_meets_the_definition() {
    let shifts = [[0, 0], [1, 0], [0, -1], [2, 3], [-7, 5], [100, -100], [-1, 1]];
    for border in [Border::Zero, Border::Keep, Border::Wrap] {
        for size in [[1, 1], [1, 9], [5, 1], [8, 13]] {
            run(gpu(), [2, 7, size[0], size[1]], &shifts, border);
        }
    }
    // Packed f16 with an odd number of elements.
    run(default_limits_gpu(), [1, 3, 5, 5], &[[1, 0], [0, 1], [-2, -1]], Border::Keep);
}

/// The device's bindings hold one and a half planes.
#[test]
fn planes_are_shifted_in_several_steps() {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 6 << 10, ..wgpu::Limits::default() };
    run(&callers_gpu(limits), [2, 3, 20, 50], &[[1, 0], [0, -3], [4, 4]], Border::Wrap);
}

#[test]
fn a_shift_can_be_recorded_into_an_encoder() {
    let shifts = [[1, 2], [-1, 0]];
    let operator = ChannelShift::new(gpu(), &shifts, Border::Zero).unwrap();
    let values: Vec<f32> = (0..2 * 6 * 5).map(|n| n as f32).collect();
    let input = Tensor::upload(gpu(), [1, 2, 6, 5], &values).unwrap();
    let output = poison(&[1, 2, 6, 5]);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    operator.record_backward(&mut encoder, &input, &output).unwrap();
    gpu().queue().submit([encoder.finish()]);
    let want = expected([1, 2, 6, 5], &values, &shifts, Border::Zero, Direction::Backward);
    assert_eq!(output.download::<f32>().unwrap(), want);
    let mut encoder = gpu().device().create_command_encoder(&Default::default());
    let refused = operator.record_forward(&mut encoder, &input, &input).unwrap_err();
    assert!(matches!(refused, Error::Aliased { .. }), "{refused}");
    let refused = operator.record_forward(&mut encoder, &input, &poison(&[1, 2, 5, 6])).unwrap_err();
    assert!(matches!(refused, Error::Axis { operand: "output", axis: 2, expected: 6, got: 5, .. }), "{refused}");
}

#[test]
fn tensors_that_do_not_fit_are_refused() {
    let operator = ChannelShift::new(gpu(), &[[0, 0]; 3], Border::Zero).unwrap();
    let refused = operator.forward(&poison(&[1, 4, 2, 2])).unwrap_err();
    assert!(matches!(refused, Error::Axis { operand: "input", axis: 1, expected: 3, got: 4, .. }), "{refused}");
    let refused = operator.forward(&poison(&[3, 2, 2])).unwrap_err();
    assert!(matches!(refused, Error::Rank { operand: "input", expected: 4, got: 3 }), "{refused}");
    let refused = ChannelShift::new(gpu(), &[[0, 1 << 25]], Border::Zero).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { got: 0x200_0000, .. }), "{refused}");
    let refused = ChannelShift::new(gpu(), &[], Border::Zero).unwrap_err();
    assert!(matches!(refused, Error::EmptyAxis { operand: "shift", .. }), "{refused}");
    let empty = Tensor::new(gpu(), [0, 3, 1 << 20, 1 << 20], Dtype::F32).unwrap();
    let refused = operator.forward(&empty).unwrap_err();
    assert!(matches!(refused, Error::BindingTooLarge { what: "one channel", .. }), "{refused}");
    assert!(operator.forward(&poison(&[0, 3, 2, 2])).unwrap().download::<f32>().unwrap().is_empty());
    for (shape, what, got) in [
        ([usize::MAX, 3, 2, 2], "input axis 0", u64::MAX),
        ([1 << 30, 3, 1 << 30, 2], "the elements of input", 3 << 61),
        ([0, 3, 1 << 40, 1 << 40], "input axis 2", 1 << 40),
    ] {
        for refused in [operator.prepare(&shape, Dtype::F32), operator.prepare_backward(&shape, Dtype::F32)] {
            let error = refused.unwrap_err();
            assert!(matches!(&error, Error::TooLarge { what: w, got: g, .. } if w == what && *g == got), "{error}");
        }
    }
    let refused = operator.prepare(&[1 << 22, 3, 4000, 4000], Dtype::F16).unwrap_err();
    assert!(matches!(refused, Error::TooManySteps { .. }), "{refused}");
}

/// The published shifts are defined for any number, and every number that they cannot have is an error.
#[test]
fn shifts_of_models_are_checked() {
    assert_eq!(as_mlp(5, 3, 1).unwrap(), [[0, -1], [0, -1], [0, 0], [0, 0], [0, 1]]);
    assert_eq!(as_mlp(2, 1 << 25, 0).unwrap(), [[-(1 << 24), 0], [1 - (1 << 24), 0]]);
    assert_eq!(cycle_fc(4, [1, 3]).unwrap(), [[0, 0], [0, -1], [0, 1], [0, 0]]);
    // So long a kernel never wraps around.
    for k in [1 << 32, (1 << 32) - 1, 1 << 63, usize::MAX] {
        assert_eq!(cycle_fc(3, [k, 1]).unwrap(), [[0, 0], [-1, 0], [-2, 0]], "{k}");
    }
    for k in [1usize << 26, 1 << 32, (1 << 32) - 1, 1 << 63, usize::MAX] {
        let refused = as_mlp(2, k, 0).unwrap_err();
        let far = k as u64 / 2;
        assert!(matches!(refused, Error::TooLarge { got, limit: 0x100_0000, .. } if got == far), "{k}: {refused}");
    }
    // A channel in the middle of the kernel reads furthest.
    let refused = cycle_fc((1 << 24) + 2, [1, 1 << 63]).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { got: 0x100_0001, .. }), "{refused}");
    for kernel_size in [[3, 3], [0, 3], [3, 0], [0, 1], [1, 0], [0, 0]] {
        let refused = cycle_fc(4, kernel_size).unwrap_err();
        assert!(matches!(refused, Error::Setting { setting: "kernel_size", .. }), "{kernel_size:?}: {refused}");
    }
    assert!(matches!(as_mlp(4, 0, 0), Err(Error::Setting { setting: "shift_size", .. })));
    assert!(matches!(as_mlp(4, 5, 2), Err(Error::Setting { setting: "the axis of a shift", .. })));
    for channels in [1 << 32, usize::MAX] {
        let every = [s2_mlp_v1(channels), s2_mlp_v2(channels), as_mlp(channels, 5, 0), cycle_fc(channels, [1, 3])];
        assert!(every.iter().all(|shifts| matches!(shifts, Err(Error::TooLarge { .. }))), "{channels}");
    }
    assert!(
        [s2_mlp_v1(0), s2_mlp_v2(0), as_mlp(0, 5, 0), cycle_fc(0, [1, 3])].iter().all(|shifts| *shifts == Ok(vec![]))
    );
}
