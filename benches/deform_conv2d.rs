//! Benchmarks of planning on the host and of the forward pass on the adapter: `cargo bench`.
//!
//! They measure the effect of a change; `deform bench` compares the layers of known networks with the adapter's own
//! rates. A call is timed from the operands on the device to the finished output, including the wait.
//!
//! - `plan`: planning for a geometry, on the host.
//! - `pack`: packing the weight.
//! - `forward`: whole calls, with the weight packed before or during the call.
//! - `kernels`: every algorithm of the forward pass on an ordinary and on a depthwise layer.
//! - `offsets`: one layer with different patterns of memory access: offsets of 0, whole numbers, N(0, 2), and a smooth
//!   flow of 20 pixels.
//! - `size`: images of different sizes. The time per output pixel, and with it the throughput, should not depend on the
//!   size.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deform::ops::deform_conv2d::{Algorithm, Geometry, Tile, plan};
use deform::plan::DeviceLimits;
use deform::{DeformConv2d, Dtype, Gpu, Inputs, Options, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// A 3×3 layer with padding 1, mask and bias.
#[derive(Clone, Copy)]
struct Layer {
    name: &'static str,
    channels: usize,
    side: usize,
    offset_groups: usize,
    groups: usize,
}

const fn layer(name: &'static str, channels: usize, side: usize) -> Layer {
    Layer { name, channels, side, offset_groups: 1, groups: 1 }
}

const LAYERS: [Layer; 5] = [
    layer("64_128", 64, 128),
    layer("128_64", 128, 64),
    layer("256_64", 256, 64),
    layer("512_32", 512, 32),
    Layer { offset_groups: 8, ..layer("64_128_og8", 64, 128) },
];

/// Returns a sample of N(0, 2) for any element.
fn normal(rng: &mut StdRng, _at: usize) -> f32 {
    2.0 * Distribution::<f32>::sample(&StandardNormal, rng)
}

impl Layer {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number, far below 2^64")]
    fn throughput(&self) -> Throughput {
        Throughput::Elements(self.geometry().flops() as u64)
    }

    fn shapes(&self) -> Inputs<Vec<usize>> {
        let (channels, side, pairs) = (self.channels, self.side, 9 * self.offset_groups);
        Inputs {
            input: vec![1, channels, side, side],
            offset: vec![1, 2 * pairs, side, side],
            weight: vec![channels, channels / self.groups, 3, 3],
            mask: Some(vec![1, pairs, side, side]),
            bias: Some(vec![channels]),
        }
    }

    fn geometry(&self) -> Geometry {
        Geometry::new(self.shapes().map(Vec::as_slice), &options()).expect("valid shapes")
    }

    fn upload(&self, gpu: &Gpu, mut offset: impl FnMut(&mut StdRng, usize) -> f32) -> Inputs<Tensor> {
        let shapes = self.shapes();
        let mut rng = StdRng::seed_from_u64(1);
        let mut upload = |shape: &[usize], value: &mut dyn FnMut(&mut StdRng, usize) -> f32| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|at| value(&mut rng, at)).collect();
            Tensor::upload(gpu, shape, &values).expect("upload")
        };
        let mut uniform = |rng: &mut StdRng, _| rng.random_range(-1.0..1.0);
        Inputs {
            input: upload(&shapes.input, &mut uniform),
            offset: upload(&shapes.offset, &mut offset),
            weight: upload(&shapes.weight, &mut uniform),
            mask: shapes.mask.map(|shape| upload(&shape, &mut uniform)),
            bias: shapes.bias.map(|shape| upload(&shape, &mut uniform)),
        }
    }
}

fn options() -> Options {
    Options { padding: [1, 1], ..Options::default() }
}

fn by(algorithm: Algorithm) -> Options {
    Options { algorithm, ..options() }
}

/// Makes a call and waits until the device has finished it.
fn finished<T>(gpu: &Gpu, call: impl FnOnce() -> deform::Result<T>) -> T {
    let result = call().expect("a call");
    gpu.wait().expect("the device finishes");
    result
}

/// Makes a benchmark group with the adapter in its name, because criterion must not compare times of different
/// adapters.
fn group<'a>(criterion: &'a mut Criterion, name: &str, gpu: &Gpu) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("{name}/{}", gpu.info().name));
    group.sample_size(15);
    group
}

fn planning(criterion: &mut Criterion) {
    let layer = Layer { offset_groups: 8, ..layer("", 128, 256) };
    let shapes = layer.shapes();
    let limits = DeviceLimits { subgroup_size: 8, ..DeviceLimits::default() };
    let tiled = Algorithm::FusedTiled { tile: Tile::M64N64, splits: 1 };
    for algorithm in [Algorithm::Columns, Algorithm::Direct, Algorithm::FusedSubgroup, tiled] {
        criterion.bench_function(&format!("plan/128_256_og8/{algorithm}"), |bencher| {
            bencher.iter(|| {
                let geometry = Geometry::new(black_box(&shapes.map(Vec::as_slice)), &options()).expect("valid shapes");
                plan(&geometry, &by(algorithm), &limits).expect("a plan")
            });
        });
    }
}

fn packing_and_forward(criterion: &mut Criterion) {
    let gpu = Gpu::new().expect("an adapter");
    let operator = DeformConv2d::new(&gpu);
    for layer in LAYERS {
        let inputs = layer.upload(&gpu, normal);
        let inputs = inputs.as_ref();
        let prepared = operator.prepare(&inputs.shapes(), Dtype::F32, options()).expect("a plan");
        let pack = || prepared.pack_weight(inputs.weight);
        group(criterion, "pack", &gpu).bench_function(layer.name, |bencher| bencher.iter(|| finished(&gpu, pack)));
        let packed = pack().expect("a packed weight");
        let mut group = group(criterion, "forward", &gpu);
        group.throughput(layer.throughput());
        group.bench_function(BenchmarkId::new("weight packed", layer.name), |bencher| {
            bencher.iter(|| finished(&gpu, || operator.forward(&inputs.with_weight(&packed), options())));
        });
        group.bench_function(BenchmarkId::new("weight as it is", layer.name), |bencher| {
            bencher.iter(|| finished(&gpu, || operator.forward(&inputs, options())));
        });
    }
}

fn kernels(criterion: &mut Criterion) {
    let gpu = Gpu::new().expect("an adapter");
    let operator = DeformConv2d::new(&gpu);
    let tiled = [1, 4].map(|splits| Tile::ALL.map(|tile| tile.algorithms(splits)));
    let others = [Algorithm::Columns, Algorithm::Direct, Algorithm::Depthwise, Algorithm::FusedSubgroup];
    let mut group = group(criterion, "kernels", &gpu);
    for layer in [layer("64_32", 64, 32), Layer { groups: 64, ..layer("depthwise_64_32", 64, 32) }] {
        let inputs = layer.upload(&gpu, normal);
        let inputs = inputs.as_ref();
        group.throughput(layer.throughput());
        for algorithm in others.into_iter().chain(tiled.into_iter().flatten().flatten()) {
            // Skips algorithms that this device cannot run.
            if operator.prepare(&layer.shapes().map(Vec::as_slice), Dtype::F32, by(algorithm)).is_ok() {
                group.bench_function(BenchmarkId::new(algorithm.to_string(), layer.name), |bencher| {
                    bencher.iter(|| finished(&gpu, || operator.forward(&inputs, by(algorithm))));
                });
            }
        }
    }
}

fn offsets(criterion: &mut Criterion) {
    let gpu = Gpu::new().expect("an adapter");
    let operator = DeformConv2d::new(&gpu);
    let layer = layer("64_128", 64, 128);
    let mut group = group(criterion, "offsets", &gpu);
    group.throughput(layer.throughput());
    let flow = |_: &mut StdRng, at: usize| {
        let (y, x) = (at / 128 % 128, at % 128);
        20.0 * (y as f32 / 40.0).sin() * (x as f32 / 40.0).cos()
    };
    let zero = |_: &mut StdRng, _| 0.0;
    let whole = |rng: &mut StdRng, at| normal(rng, at).round();
    let patterns: [(&str, Inputs<Tensor>); 4] = [
        ("zero", layer.upload(&gpu, zero)),
        ("whole", layer.upload(&gpu, whole)),
        ("normal", layer.upload(&gpu, normal)),
        ("flow", layer.upload(&gpu, flow)),
    ];
    for (name, inputs) in &patterns {
        let inputs = inputs.as_ref();
        group.bench_function(*name, |bencher| {
            bencher.iter(|| finished(&gpu, || operator.forward(&inputs, options())));
        });
    }
}

fn size(criterion: &mut Criterion) {
    let gpu = Gpu::new().expect("an adapter");
    let operator = DeformConv2d::new(&gpu);
    let mut group = group(criterion, "size", &gpu);
    for side in [32, 64, 128, 256, 512] {
        let layer = layer("", 64, side);
        let inputs = layer.upload(&gpu, normal);
        let inputs = inputs.as_ref();
        group.throughput(Throughput::Elements((side * side) as u64));
        group.bench_function(BenchmarkId::from_parameter(side), |bencher| {
            bencher.iter(|| finished(&gpu, || operator.forward(&inputs, options())));
        });
    }
}

criterion_group!(benches, planning, packing_and_forward, kernels, offsets, size);
criterion_main!(benches);
