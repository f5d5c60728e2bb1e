//! Operands in f16. They are read exactly, computed in f32 and rounded once, on a device with f16 shaders and on one
//! without.

use deform::ops::activation::{Activate, Activation};
use deform::ops::deform_conv2d::{Algorithm, Tile};
use deform::ops::shift::{Border, ChannelShift};
use deform::ops::texture::{TextureRegion, Textures};
use deform::{DeformConv2d, Dtype, Error, Gpu, Gradients, Inputs, Options, Tensor, wgpu};
use half::f16;

use crate::backward::{all, ways};
use crate::device::{algorithms, default_limits_gpu, gpu, operator, say};
use crate::support::case::{Case, PLAIN, Sizes, depthwise, padded};
use crate::texture::texture;

/// Rounds every operand of the case to f16, so that the reference computes with the same numbers.
pub fn rounded(mut case: Case) -> Case {
    let round = |values: &mut Vec<f32>| values.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
    let operands = &mut case.operands;
    [&mut operands.input, &mut operands.offset, &mut operands.weight].into_iter().for_each(round);
    operands.mask.iter_mut().chain(operands.bias.iter_mut()).for_each(round);
    case
}

fn upload_halves(gpu: &Gpu, case: &Case) -> Inputs<Tensor> {
    let (shapes, values) = (case.shape_slices(), case.slices());
    let upload = |shape: &[usize], values: &[f32]| {
        let halves: Vec<_> = values.iter().map(|&value| f16::from_f32(value)).collect();
        Tensor::upload(gpu, shape, &halves).unwrap()
    };
    Inputs {
        input: upload(shapes.input, values.input),
        offset: upload(shapes.offset, values.offset),
        weight: upload(shapes.weight, values.weight),
        mask: shapes.mask.zip(values.mask).map(|(shape, values)| upload(shape, values)),
        bias: shapes.bias.zip(values.bias).map(|(shape, values)| upload(shape, values)),
    }
}

/// Runs the case in f16 and compares it with the reference. The bound is that of the f32 sum, and one rounding: half a
/// unit in the last place of an f16, which is 2⁻¹¹ of its value, or 2⁻²⁵ if it is subnormal. Returns the worst ratio of
/// error to bound.
pub fn check(gpu: &Gpu, operator: &DeformConv2d, case: &Case) -> f64 {
    let inputs = upload_halves(gpu, case);
    let output = operator.forward(&inputs.as_ref(), case.options).unwrap();
    assert_eq!(output.dtype(), Dtype::F16);
    let (want, bounds) = case.expected();
    let mut worst = 0.0;
    for (n, got) in output.download::<f16>().unwrap().into_iter().enumerate() {
        let sum = bounds[n].error();
        let bound = sum + 2f64.powi(-11) * (want[n].abs() + sum) + 2f64.powi(-25);
        let error = (got.to_f64() - want[n]).abs();
        assert!(
            error <= bound,
            "{} {:?} element {n}: {got}, expected {} ± {bound:e}",
            case.name,
            case.options,
            want[n]
        );
        worst = f64::max(worst, error / bound);
    }
    worst
}

fn cases() -> Vec<Case> {
    let case = |name, sizes, options| rounded(Case::new(name, sizes, options));
    let wide = Sizes { in_channels: 33, out_channels: 70, input: [9, 15], ..PLAIN };
    let grouped = Sizes { batch: 2, in_channels: 12, out_channels: 12, groups: 2, offset_groups: 3, ..PLAIN };
    let odd = Sizes { batch: 3, in_channels: 3, out_channels: 5, input: [5, 5], mask: false, bias: false, ..PLAIN };
    vec![
        case("wide", wide, padded()),
        case("groups", grouped, Options { stride: [2, 1], dilation: [1, 2], ..padded() }),
        // An image has an odd number of elements, so that the second begins in the middle of a word.
        case("odd", odd, padded()),
        case("depthwise", Sizes { in_channels: 6, out_channels: 6, groups: 6, ..PLAIN }, padded()),
        case("small groups", Sizes { in_channels: 6, out_channels: 9, groups: 3, ..PLAIN }, padded()),
    ]
}

/// Returns every case with each of the algorithms, and every case as a depthwise convolution.
fn cases_by(algorithms: &[Algorithm]) -> Vec<Case> {
    let mut all = Vec::new();
    for case in cases() {
        for &algorithm in algorithms {
            all.push(case.clone().by(algorithm));
        }
        all.push(depthwise(case));
    }
    all
}

#[test]
fn every_algorithm_meets_the_reference_within_one_more_rounding() {
    let bare = DeformConv2d::new(default_limits_gpu());
    assert!(!default_limits_gpu().limits().f16);
    let mut worst = 0.0;
    for case in cases_by(&algorithms()) {
        worst = f64::max(worst, check(gpu(), operator(), &case));
        // A device without features has no subgroups either.
        if case.options.algorithm != Algorithm::FusedSubgroup {
            worst = f64::max(worst, check(default_limits_gpu(), &bare, &case));
        }
    }
    say(&format!("f16, native ({}) and packed: worst error {worst:.3} of its bound", gpu().limits().f16));
}

#[test]
fn an_infinite_pixel_stays_infinite() {
    let sizes = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], mask: false, bias: false, ..PLAIN };
    let mut case = rounded(Case::new("special", sizes, Options::default())).with_offsets(|_, _| 0.0);
    case.operands.weight = vec![1.0];
    case.operands.input.fill(2.0);
    // Apart from its own sample, only those above and to the left have the last pixel as a corner.
    case.operands.input[41] = f32::INFINITY;
    for (gpu, operator) in
        [(gpu(), operator().clone()), (default_limits_gpu(), DeformConv2d::new(default_limits_gpu()))]
    {
        for algorithm in [Algorithm::Columns].into_iter().chain(Tile::M32N32.algorithms(1)) {
            let inputs = upload_halves(gpu, &case);
            let options = Options { algorithm, ..case.options };
            let output = operator.forward(&inputs.as_ref(), options).unwrap().download::<f16>().unwrap();
            assert_eq!(output[0], f16::from_f32(2.0));
            assert_eq!(output[41], f16::INFINITY, "{algorithm}");
        }
    }
}

/// Products of two f16 numbers are exact in f32, so each rounded product is known to the bit, including subnormal
/// numbers, ties and overflow.
#[test]
fn products_are_rounded_to_the_nearest_f16() {
    let sizes =
        Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], input: [62, 1024], mask: false, bias: false, ..PLAIN };
    let mut case = rounded(Case::new("rounding", sizes, Options::default())).with_offsets(|_, _| 0.0);
    // Every finite f16 of either sign.
    let halves = (0..31 << 10).flat_map(|bits| [f16::from_bits(bits), f16::from_bits(bits | 1 << 15)]);
    case.operands.input = halves.map(f16::to_f32).collect();
    let operator = DeformConv2d::new(default_limits_gpu());
    for weight in [0.75, 0.4375, 1.0 / 1024.0, 3.0].map(f16::from_f64) {
        case.operands.weight = vec![weight.to_f32()];
        let inputs = upload_halves(default_limits_gpu(), &case);
        let output = operator.forward(&inputs.as_ref(), case.options).unwrap().download::<f16>().unwrap();
        for (&input, output) in case.operands.input.iter().zip(output) {
            assert_eq!(output, f16::from_f32(input * weight.to_f32()), "{input} · {weight}");
        }
    }
}

#[test]
fn numbers_beyond_f16_become_its_maximum_or_infinite() {
    let sizes = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], mask: false, ..PLAIN };
    let mut case = rounded(Case::new("overflow", sizes, Options::default())).with_offsets(|_, _| 0.0);
    case.operands.weight = vec![2.0];
    case.operands.input[..3].copy_from_slice(&[32752.0, 40000.0, -40000.0]);
    // 65504 is the largest f16. From 65520 on, which is half a step further, a value is rounded to infinity.
    for (bias, greatest) in [(15.0, f16::MAX), (16.0, f16::INFINITY)] {
        case.operands.bias = Some(vec![bias]);
        let want = [greatest, f16::INFINITY, f16::NEG_INFINITY];
        for (gpu, operator) in
            [(gpu(), operator().clone()), (default_limits_gpu(), DeformConv2d::new(default_limits_gpu()))]
        {
            let inputs = upload_halves(gpu, &case);
            let output = operator.forward(&inputs.as_ref(), case.options).unwrap();
            assert_eq!(output.download::<f16>().unwrap()[..3], want, "bias {bias}");
        }
    }
}

#[test]
fn sums_are_not_cut_if_the_output_would_round_their_parts() {
    let sizes = Sizes { in_channels: 24, out_channels: 20, input: [20, 19], ..PLAIN };
    let case = rounded(Case::new("least workspace", sizes, padded()));
    for algorithm in algorithms() {
        let plan = |workspace_limit| {
            let options = Options { algorithm, workspace_limit, ..case.options };
            operator().prepare(&case.shape_slices(), Dtype::F16, options)
        };
        let least = match plan(0) {
            Ok(prepared) => prepared.plan().memory_bytes(),
            Err(Error::WorkspaceTooSmall { needed, .. }) => needed,
            Err(error) => panic!("{error}"),
        };
        for step in &plan(least).unwrap().plan().steps {
            assert!(step.param("accumulate").is_none_or(|accumulate| accumulate == 0), "{step}");
        }
        let options = Options { algorithm, workspace_limit: least, ..case.options };
        check(gpu(), operator(), &Case { options, ..case.clone() });
    }
}

#[test]
fn the_error_asks_for_a_workspace_that_suffices() {
    // In f16 the columns algorithm cannot cut a sum of 54,000 terms, as it would have to. The tiled one only needs a
    // larger workspace, so the error must ask for that.
    let sizes = Sizes { in_channels: 6000, out_channels: 500, input: [32, 32], ..PLAIN };
    let shapes = sizes.shapes(&padded());
    let shapes = shapes.map(Vec::as_slice);
    let operator = DeformConv2d::new(default_limits_gpu());
    let prepare = |workspace_limit| operator.prepare(&shapes, Dtype::F16, Options { workspace_limit, ..padded() });
    let Err(Error::WorkspaceTooSmall { needed, .. }) = prepare(64 << 20) else { panic!("64 MiB are too few") };
    assert!(prepare(needed).is_ok());
}

/// The data is read exactly and the gradients are f32, so the bound is that of f32.
#[test]
fn gradients_of_f16_data_are_f32() {
    let bare = DeformConv2d::new(default_limits_gpu());
    let mut worst = 0.0;
    for case in cases_by(&ways()) {
        let halves: Vec<f16> = case.grad_output().into_iter().map(f16::from_f32).collect();
        let values: Vec<f32> = halves.iter().map(|value| value.to_f32()).collect();
        let expected = case.expected_gradients(&values);
        let mut check = |gpu: &Gpu, operator: &DeformConv2d| {
            let inputs = upload_halves(gpu, &case);
            let grad_output = Tensor::upload(gpu, case.geometry().output_shape(), &halves).unwrap();
            let inputs = inputs.as_ref();
            let gradients = operator.backward(&inputs, &grad_output, Gradients::ALL, case.options).unwrap();
            assert_eq!(gradients.map(Option::is_some), all(&case));
            let got = gradients.map(|tensor| tensor.as_ref().map(|tensor| tensor.download::<f32>().unwrap()));
            let ratio = expected.compare(&got).unwrap_or_else(|error| panic!("{}: {error}", case.name));
            worst = f64::max(worst, ratio);
        };
        check(gpu(), operator());
        if case.options.algorithm != Algorithm::FusedSubgroup {
            check(default_limits_gpu(), &bare);
        }
    }
    say(&format!("gradients of f16 data: worst error {worst:.3} of its bound"));
}

/// An odd number of elements ends in the middle of a word. Its other half may belong to another tensor of the caller's
/// buffer, so no operator may change it.
#[test]
fn the_half_behind_an_odd_tensor_is_kept() {
    let behind = f16::from_f32(-1.0);
    for gpu in [gpu(), default_limits_gpu()] {
        let check = |name: &str, shape: &[usize], run: &dyn Fn(&mut wgpu::CommandEncoder, &Tensor)| {
            let tensor = Tensor::new(gpu, shape, Dtype::F16).unwrap();
            let count = shape.iter().product::<usize>();
            let whole = Tensor::from_buffer(gpu, tensor.buffer().clone(), 0, [count + 1], Dtype::F16).unwrap();
            whole.write(&vec![behind; count + 1]).unwrap();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            run(&mut encoder, &tensor);
            gpu.queue().submit([encoder.finish()]);
            let found = whole.download::<f16>().unwrap();
            let (last, elements) = found.split_last().unwrap();
            assert!(*last == behind && elements.iter().all(|element| *element != behind), "{name}: {found:?}");
        };
        let activations = Activate::new(gpu);
        check("relu", &[3], &|encoder, tensor| {
            activations.record_forward(encoder, tensor, Activation::Relu).unwrap();
        });
        let shape = [1, 1, 1, 3];
        let input = Tensor::upload(gpu, shape, &[f16::ONE; 3]).unwrap();
        let shift = ChannelShift::new(gpu, &[[0, 0]], Border::Zero).unwrap();
        check("shift", &shape, &|encoder, output| shift.record_forward(encoder, &input, output).unwrap());
        let image = texture(gpu, wgpu::TextureFormat::Rgba8Unorm, [4, 4], wgpu::TextureUsages::TEXTURE_BINDING);
        let pixel = TextureRegion { size: [1, 1], ..TextureRegion::whole(&image) };
        for channels in [1, 3] {
            let textures = Textures::new(gpu);
            check("texture", &[1, channels, 1, 1], &|encoder, tensor| {
                textures.record_load(encoder, pixel, tensor).unwrap();
            });
        }
        let sizes =
            Sizes { in_channels: 1, out_channels: 1, input: [1, 3], kernel: [1, 1], mask: false, bias: false, ..PLAIN };
        let case = Case::new("odd", sizes, Options::default()).with_offsets(|_, _| 0.0);
        let inputs = upload_halves(gpu, &case);
        let operator = DeformConv2d::new(gpu);
        for algorithm in [Algorithm::Columns, Algorithm::Direct, Algorithm::Depthwise] {
            let options = Options { algorithm, ..case.options };
            check(&algorithm.to_string(), &shape, &|encoder, output| {
                operator.record_forward(encoder, &inputs.as_ref(), output, options).unwrap();
            });
        }
    }
}
