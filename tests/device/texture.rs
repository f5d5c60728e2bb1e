//! Reading and writing textures: every format, rectangles and mip levels, and an image filter inside a frame.

use deform::ops::texture::TextureRegion;
use deform::ops::texture::Textures;
use deform::{DeformConv2d, Dtype, Gpu, Inputs, Options, Tensor, wgpu};
use half::f16;
use wgpu::TextureFormat::{self, Rgba8Unorm, Rgba8UnormSrgb, Rgba16Float, Rgba32Float};

use crate::device::{default_limits_gpu, gpu, poison, poison_on};
use crate::support::numbers::byte;

const ALL: wgpu::TextureUsages = wgpu::TextureUsages::TEXTURE_BINDING
    .union(wgpu::TextureUsages::STORAGE_BINDING)
    .union(wgpu::TextureUsages::COPY_SRC)
    .union(wgpu::TextureUsages::COPY_DST);

/// Half a step of 8 bits: the rounding of a written value, and the error of drivers that decode sRGB with tables or
/// polynomials.
const HALF_A_STEP: f32 = 0.5001 / 255.0;
/// The relative step of an f16: WebGPU leaves open whether a value is rounded or cut off.
const F16_STEP: f32 = 1.0 / 1024.0;

pub fn texture(
    gpu: &Gpu,
    format: TextureFormat,
    [height, width]: [u32; 2],
    usage: wgpu::TextureUsages,
) -> wgpu::Texture {
    gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 3,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: if format == Rgba8Unorm { &[Rgba8UnormSrgb] } else { &[] },
    })
}

fn write(gpu: &Gpu, texture: &wgpu::Texture, mip_level: u32, [height, width]: [u32; 2], texels: &[u8]) {
    let at =
        wgpu::TexelCopyTextureInfo { texture, mip_level, origin: wgpu::Origin3d::ZERO, aspect: Default::default() };
    let bytes_per_row = Some(u32::try_from(texels.len()).unwrap() / height);
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None };
    gpu.queue().write_texture(at, texels, layout, wgpu::Extent3d { width, height, depth_or_array_layers: 1 });
}

/// Encodes numbers, four for each texel, in a format. Returns the texels, and the numbers that they decode to.
fn texels(format: TextureFormat, values: &[f32]) -> (Vec<u8>, Vec<f32>) {
    let bytes = values.iter().map(|value| byte((255.0 * value).round()));
    match format {
        Rgba32Float => (values.iter().flat_map(|value| value.to_le_bytes()).collect(), values.to_vec()),
        Rgba16Float => {
            let halves: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
            let texels = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
            (texels, halves.into_iter().map(f16::to_f32).collect())
        }
        Rgba8UnormSrgb => {
            // IEC 61966-2-1; alpha is linear.
            let linear = |(n, byte): (usize, u8)| match f32::from(byte) / 255.0 {
                alpha if n % 4 == 3 => alpha,
                low if low <= 0.04045 => low / 12.92,
                high => ((high + 0.055) / 1.055).powf(2.4),
            };
            (bytes.clone().collect(), bytes.enumerate().map(linear).collect())
        }
        _ => (bytes.clone().collect(), bytes.map(|byte| f32::from(byte) / 255.0).collect()),
    }
}

fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|n| (n * 7919 % 1021) as f32 / 1020.0).collect()
}

/// Returns the channel planes of a rectangle of texels, which have four numbers each, in an image `width` wide.
fn planes(texels: &[f32], width: usize, [y, x]: [u32; 2], [rows, columns]: [u32; 2], channels: usize) -> Vec<f32> {
    let mut planes = Vec::new();
    for c in 0..channels {
        for row in y..y + rows {
            for column in x..x + columns {
                planes.push(texels[4 * (row as usize * width + column as usize) + c]);
            }
        }
    }
    planes
}

#[test]
fn every_format_is_read() {
    // The mip level, its size, and the origin and size of a rectangle.
    let cases = [(0, [13, 9], [0, 0], [13, 9]), (0, [13, 9], [2, 3], [7, 5]), (1, [6, 4], [1, 0], [5, 4])];
    for gpu in [gpu(), default_limits_gpu()] {
        let operator = Textures::new(gpu);
        for format in [Rgba8Unorm, Rgba8UnormSrgb, Rgba16Float, Rgba32Float] {
            let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
            let texture = texture(gpu, format, [13, 9], usage);
            for (mip_level, level, origin, size) in cases {
                let (bytes, values) = texels(format, &noise(4 * (level[0] * level[1]) as usize));
                write(gpu, &texture, mip_level, level, &bytes);
                let region = TextureRegion { mip_level, origin, size, ..TextureRegion::whole(&texture) };
                for channels in 1..=4 {
                    let want = planes(&values, level[1] as usize, origin, size, channels);
                    let tensor = operator.load(region, channels, Dtype::F32).unwrap();
                    assert_eq!(tensor.shape(), [1, channels, size[0] as usize, size[1] as usize]);
                    for (got, want) in tensor.download::<f32>().unwrap().into_iter().zip(&want) {
                        let bound = if format == Rgba8UnormSrgb { HALF_A_STEP } else { 2f32.powi(-23) };
                        assert!((got - want).abs() <= bound, "{format:?}: {got}, expected {want}");
                    }
                    let halves = operator.load(region, channels, Dtype::F16).unwrap().download::<f16>().unwrap();
                    for (got, want) in halves.into_iter().zip(&want) {
                        let bound = 2f32.powi(-11) + if format == Rgba8UnormSrgb { HALF_A_STEP } else { 0.0 };
                        assert!((got.to_f32() - want).abs() <= bound, "{format:?} in f16: {got}, expected {want}");
                    }
                }
            }
        }
        // The same texture, viewed in two formats.
        let texture = texture(gpu, Rgba8Unorm, [4, 4], ALL - wgpu::TextureUsages::STORAGE_BINDING);
        write(gpu, &texture, 0, [4, 4], &[128; 64]);
        let whole = TextureRegion::whole(&texture);
        let load = |view_format| {
            let region = TextureRegion { view_format, ..whole };
            operator.load(region, 4, Dtype::F32).unwrap().download::<f32>().unwrap()
        };
        let (plain, linear) = (load(None), load(Some(Rgba8UnormSrgb)));
        assert!((plain[0] - 0.50196).abs() < 1e-4 && (linear[0] - 0.21586).abs() < HALF_A_STEP, "{plain:?} {linear:?}");
        assert!((linear[48] - plain[48]).abs() < 1e-6, "alpha is linear");
    }
}

#[test]
fn every_format_is_written_and_only_inside_the_rectangle() {
    let ([y, x], size) = ([3u32, 2u32], [6u32, 5u32]);
    for gpu in [gpu(), default_limits_gpu()] {
        let operator = Textures::new(gpu);
        for format in [Rgba8Unorm, Rgba16Float, Rgba32Float] {
            for channels in [1, 3, 4] {
                let texture = texture(gpu, format, [11, 9], ALL);
                let (bytes, before) = texels(format, &noise(4 * 99));
                write(gpu, &texture, 0, [11, 9], &bytes);
                // Some values lie beyond 0 … 1, where rgba8unorm clamps.
                let values: Vec<f32> = noise(channels * 30).into_iter().map(|value| 1.5 * value - 0.25).collect();
                let tensor = Tensor::upload(gpu, [1, channels, 6, 5], &values).unwrap();
                let region = TextureRegion { origin: [y, x], size, ..TextureRegion::whole(&texture) };
                operator.store(&tensor, region).unwrap();
                let got = operator.load(TextureRegion::whole(&texture), 4, Dtype::F32).unwrap();
                let got: Vec<f32> = got.download().unwrap();
                for (n, got) in got.into_iter().enumerate() {
                    let (c, row, column) = (n / 99, u32::try_from(n % 99 / 9).unwrap(), u32::try_from(n % 9).unwrap());
                    let inside = (y..y + 6).contains(&row) && (x..x + 5).contains(&column);
                    let (want, bound) = if inside {
                        let plane = if channels == 1 { 0 } else { c };
                        let at = plane * 30 + ((row - y) * 5 + column - x) as usize;
                        let value = if c == 3 && channels < 4 { 1.0 } else { values[at] };
                        match format {
                            Rgba8Unorm => (value.clamp(0.0, 1.0), HALF_A_STEP),
                            Rgba16Float => (value, F16_STEP * value.abs()),
                            _ => (value, 0.0),
                        }
                    } else {
                        (before[4 * (n % 99) + c], 1e-6)
                    };
                    assert!((got - want).abs() <= bound, "{format:?} {channels} {n}: {got}, expected {want}");
                }
            }
        }
    }
}

/// Loading, bending and storing, recorded into one encoder, give the same picture as through the host.
#[test]
fn an_image_filter_inside_a_frame() {
    let gpu = default_limits_gpu();
    let (textures, operator) = (Textures::new(gpu), DeformConv2d::new(gpu));
    let size = [10u32, 12];
    let from = texture(gpu, Rgba16Float, size, ALL);
    let to = texture(gpu, Rgba16Float, size, ALL);
    let (bytes, values) = texels(Rgba16Float, &noise(4 * 120));
    write(gpu, &from, 0, size, &bytes);
    let identity: Vec<f32> = (0..9).map(|n| f32::from(u8::from(n % 4 == 0))).collect();
    let weight = Tensor::upload(gpu, [3, 3, 1, 1], &identity).unwrap();
    let bend: Vec<f32> = (0..240).map(|n| (n * 7919 % 16) as f32 / 8.0 - 1.0).collect();
    let offset = Tensor::upload(gpu, [1, 2, 10, 12], &bend).unwrap();
    let picture = Tensor::upload(gpu, [1, 3, 10, 12], &planes(&values, 12, [0, 0], size, 3)).unwrap();
    let inputs = |input| Inputs { input, offset: &offset, weight: &weight, mask: None, bias: None };
    let want = operator.forward(&inputs(&picture), Options::default()).unwrap();

    let input = poison_on(gpu, &[1, 3, 10, 12]);
    let output = poison_on(gpu, &[1, 3, 10, 12]);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    textures.record_load(&mut encoder, TextureRegion::whole(&from), &input).unwrap();
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        operator.record_forward(&mut pass, &inputs(&input), &output, Options::default()).unwrap();
        textures.record_store(&mut pass, &output, TextureRegion::whole(&to)).unwrap();
    }
    gpu.queue().submit([encoder.finish()]);
    assert_eq!(output.download::<f32>().unwrap(), want.download::<f32>().unwrap());
    let stored = textures.load(TextureRegion::whole(&to), 3, Dtype::F32).unwrap().download::<f32>().unwrap();
    for (got, want) in stored.into_iter().zip(want.download::<f32>().unwrap()) {
        assert!((got - want).abs() <= F16_STEP * want.abs(), "{got}, expected {want}");
    }
}

#[test]
fn regions_and_tensors_that_do_not_fit_are_refused() {
    let operator = Textures::new(gpu());
    let usage = wgpu::TextureUsages::TEXTURE_BINDING;
    let read_only = texture(gpu(), Rgba8Unorm, [8, 6], usage);
    let whole = TextureRegion::whole(&read_only);
    let refused = |result: deform::Result<()>, words: &str| {
        let error = result.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let load = |region, channels| operator.load(region, channels, Dtype::F32).map(|_| ());
    let of = |shape: [usize; 4]| Tensor::new(gpu(), shape, Dtype::F32).unwrap();
    refused(load(TextureRegion { origin: [3, 0], ..whole }, 3), "[8, 6] texels from [3, 0] do not fit");
    refused(load(TextureRegion { origin: [u32::MAX, 0], ..whole }, 3), "do not fit");
    refused(load(TextureRegion { mip_level: 3, ..whole }, 3), "it has 3 mip levels, and the region names level 3");
    refused(load(TextureRegion { mip_level: 1, ..whole }, 3), "the level's [4, 3]");
    refused(load(whole, 5), "tensor axis 1 is 5, expected 4");
    refused(load(whole, 0), "tensor axis 1 is 0");
    refused(
        operator.store(&of([1, 3, 8, 6]), whole),
        "its usage is TEXTURE_BINDING, expected STORAGE_BINDING among others",
    );
    let write_only = texture(gpu(), Rgba8Unorm, [8, 6], wgpu::TextureUsages::STORAGE_BINDING);
    refused(
        load(TextureRegion::whole(&write_only), 3),
        "its usage is STORAGE_BINDING, expected TEXTURE_BINDING among others",
    );
    let to = TextureRegion::whole(&write_only);
    refused(operator.store(&of([1, 3, 6, 8]), to), "tensor axis 2 is 6, expected 8");
    refused(operator.store(&of([1, 2, 8, 6]), to), "1, 3 or 4 channels");
    refused(operator.store(&of([2, 3, 8, 6]), to), "tensor axis 0 is 2, expected 1");
    refused(operator.store(&poison(&[3, 8, 6]), to), "tensor has 3 axes, expected 4");
    let numbers = texture(gpu(), TextureFormat::Rgba32Uint, [8, 6], usage);
    refused(
        load(TextureRegion::whole(&numbers), 3),
        "its format is rgba32uint, expected a format that shaders read as floating-point numbers",
    );
    let srgb = texture(gpu(), Rgba8UnormSrgb, [8, 6], usage);
    refused(
        operator.store(&of([1, 3, 8, 6]), TextureRegion::whole(&srgb)),
        "its format is rgba8unorm-srgb, expected rgba8unorm",
    );
    // wgpu alone knows the formats of a texture's views. Its own refusal would reach a handler that panics.
    let other = Some(TextureFormat::Rgba8Snorm);
    refused(load(TextureRegion { view_format: other, ..whole }, 3), "its view_formats lack rgba8snorm");
    let halves = Some(Rgba16Float);
    refused(operator.store(&of([1, 3, 8, 6]), TextureRegion { view_format: halves, ..to }), "lack rgba16float");
    let nothing = TextureRegion { size: [0, 6], ..whole };
    assert_eq!(operator.load(nothing, 3, Dtype::F32).unwrap().shape(), [1, 3, 0, 6]);
}
