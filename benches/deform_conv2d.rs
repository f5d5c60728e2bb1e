//! Planning without a device, and whole calls of the operator on the adapter at hand: `cargo bench`.
//!
//! A call is timed from operands on the device to the finished output, the wait included. `deform bench` has the whole table of
//! layers beside the adapter's own rates; this is for watching a change.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deform::ops::deform_conv2d::{Geometry, plan};
use deform::plan::DeviceLimits;
use deform::{DeformConv2d, Gpu, Inputs, Options, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// 3×3 layers with padding 1, mask and bias: name, channels in and out, side of the square input, offset groups.
const LAYERS: [(&str, usize, usize, usize); 4] =
    [("64_128", 64, 128, 1), ("256_64", 256, 64, 1), ("512_32", 512, 32, 1), ("64_128_og8", 64, 128, 8)];

fn shapes(channels: usize, side: usize, offset_groups: usize) -> Inputs<Vec<usize>> {
    Inputs {
        input: vec![1, channels, side, side],
        offset: vec![1, 18 * offset_groups, side, side],
        weight: vec![channels, channels, 3, 3],
        mask: Some(vec![1, 9 * offset_groups, side, side]),
        bias: Some(vec![channels]),
    }
}

fn planning(criterion: &mut Criterion) {
    let shapes = shapes(128, 256, 8);
    let options = Options { padding: [1, 1], ..Options::default() };
    criterion.bench_function("plan/128_256_og8", |bencher| {
        bencher.iter(|| {
            let geometry = Geometry::new(black_box(&shapes.map(Vec::as_slice)), &options).expect("valid shapes");
            plan(&geometry, &options, &DeviceLimits::default()).expect("a plan")
        });
    });
}

fn forward(criterion: &mut Criterion) {
    let gpu = Gpu::new().expect("an adapter");
    let operator = DeformConv2d::new(&gpu);
    let options = Options { padding: [1, 1], ..Options::default() };
    let mut group = criterion.benchmark_group(format!("forward/{}", gpu.info().name));
    group.sample_size(15);
    for (name, channels, side, offset_groups) in LAYERS {
        let shapes = shapes(channels, side, offset_groups);
        let mut rng = StdRng::seed_from_u64(1);
        let mut random = |shape: &Vec<usize>, low: f32, high: f32| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(low..high)).collect();
            Tensor::upload(&gpu, shape, &values).expect("upload")
        };
        let input = random(&shapes.input, -1.0, 1.0);
        let offset = random(&shapes.offset, -3.0, 3.0);
        let weight = random(&shapes.weight, -1.0, 1.0);
        let mask = shapes.mask.as_ref().map(|shape| random(shape, 0.0, 1.0));
        let bias = shapes.bias.as_ref().map(|shape| random(shape, -1.0, 1.0));
        let inputs =
            Inputs { input: &input, offset: &offset, weight: &weight, mask: mask.as_ref(), bias: bias.as_ref() };
        let geometry = Geometry::new(&shapes.map(Vec::as_slice), &options).expect("valid shapes");
        group.throughput(Throughput::Elements(geometry.flops() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let output = operator.forward(&inputs, options).expect("forward");
                gpu.wait().expect("the device finishes");
                output
            });
        });
    }
    group.finish();
}

criterion_group!(benches, planning, forward);
criterion_main!(benches);
