//! The layers to measure: deformable convolutions of published networks, at the sizes that those networks use.

use deform::layers::HostTensor;
use deform::ops::deform_conv2d::{Geometry, Mode};
use deform::{Gradients, Inputs, Options};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// The distribution of a layer's offsets, which determines the pattern of its memory accesses.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Offsets {
    /// Independent N(0, 2): neighbouring pixels sample unrelated positions nearby.
    Normal,
    /// A smooth flow of up to 20 pixels that all taps share, plus a residual N(0, 1) per tap, as in the alignment of
    /// video frames.
    Flow,
    /// The offsets of CycleFC: constant whole pixels along x, repeating cyclically over the channels.
    Cycle,
}

/// A layer of the benchmark.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) batch: usize,
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
    /// The input's [height, width].
    pub(crate) size: [usize; 2],
    pub(crate) groups: usize,
    pub(crate) offset_groups: usize,
    pub(crate) mask: bool,
    pub(crate) bias: bool,
    pub(crate) offsets: Offsets,
}

/// The base of most layers: one image, 3×3, stride 1, one weight group and one offset group, mask and bias.
const USUAL: Layer = Layer {
    name: "",
    batch: 1,
    in_channels: 64,
    out_channels: 64,
    kernel: 3,
    stride: 1,
    dilation: 1,
    size: [0, 0],
    groups: 1,
    offset_groups: 1,
    mask: true,
    bias: true,
    offsets: Offsets::Normal,
};

/// Makes a layer with as many output channels as input channels.
pub(crate) const fn square(name: &'static str, channels: usize, size: [usize; 2]) -> Layer {
    Layer { name, in_channels: channels, out_channels: channels, size, ..USUAL }
}

/// The layers of the benchmark: ResNet and ResNeXt detectors, YOLACT, CenterNet, BiRefNet, video restoration (EDVR,
/// BasicVSR++, TDAN), RepPoints, a depthwise layer and CycleMLP.
pub(crate) const LAYERS: &[Layer] = &[
    square("resnet_c3", 128, [100, 168]),
    square("resnet_c4", 256, [50, 84]),
    square("resnet_c5", 512, [25, 42]),
    Layer { groups: 32, ..square("resnext_c4", 1024, [50, 84]) },
    Layer { stride: 2, ..square("yolact_c3", 128, [138, 138]) },
    Layer { stride: 2, ..square("yolact_c5", 512, [35, 35]) },
    Layer { out_channels: 256, ..square("centernet_16", 512, [16, 16]) },
    square("centernet_128", 64, [128, 128]),
    Layer { out_channels: 256, ..square("birefnet_k3", 64, [256, 256]) },
    Layer { out_channels: 256, kernel: 7, ..square("birefnet_k7", 64, [256, 256]) },
    Layer { out_channels: 256, kernel: 7, ..square("birefnet_k7_small", 64, [32, 32]) },
    Layer { offset_groups: 8, ..square("edvr_l1", 128, [180, 320]) },
    Layer { batch: 4, offset_groups: 8, ..square("edvr_train", 64, [64, 64]) },
    Layer { out_channels: 64, offset_groups: 16, offsets: Offsets::Flow, ..square("basicvsr", 128, [180, 320]) },
    Layer { offset_groups: 8, mask: false, bias: false, ..square("tdan", 64, [180, 320]) },
    Layer { mask: false, bias: false, ..square("reppoints", 256, [100, 168]) },
    // A stage of a network such as InternImage: 16 channels share their offsets, and no channel is mixed with another.
    Layer { groups: 64, offset_groups: 4, ..square("depthwise", 64, [128, 128]) },
    // CycleMLP calls version 1 of the operator, with a bias and without a mask.
    Layer { kernel: 1, offset_groups: 64, mask: false, offsets: Offsets::Cycle, ..square("cyclefc", 64, [56, 56]) },
];

/// Returns a parser that accepts the layers' names as command-line values.
pub(crate) fn layer_names() -> clap::builder::PossibleValuesParser {
    LAYERS.iter().map(|layer| layer.name).into()
}

/// The period of CycleFC's shifts in CycleMLP: its kernel is (1, 3).
const CYCLE: usize = 3;

impl Layer {
    /// Returns the layer's options, with "same" padding as in all of these networks.
    pub(crate) fn options(&self) -> Options {
        Options {
            stride: [self.stride; 2],
            padding: [self.padding(); 2],
            dilation: [self.dilation; 2],
            ..Options::default()
        }
    }

    /// Returns which gradients the layer has.
    pub(crate) fn modes(&self) -> Gradients<Mode> {
        let wanted = Gradients { mask: self.mask, bias: self.bias, ..Gradients::ALL };
        wanted.map(|&wanted| if wanted { Mode::Write } else { Mode::Skip })
    }

    fn padding(&self) -> usize {
        self.kernel / 2 * self.dilation
    }

    fn out_size(&self) -> [usize; 2] {
        let extent = self.dilation * (self.kernel - 1) + 1;
        self.size.map(|size| (size + 2 * self.padding() - extent) / self.stride + 1)
    }

    /// Returns the layer's name, or its sizes if it has none.
    pub(crate) fn title(&self) -> String {
        if !self.name.is_empty() {
            return self.name.to_owned();
        }
        let Self { batch, in_channels, out_channels, kernel, size: [height, width], .. } = self;
        let mut title = format!("{in_channels}→{out_channels} @ {height}×{width}, {kernel}×{kernel}");
        if *batch != 1 {
            title.insert_str(0, &format!("{batch} × "));
        }
        let groups = [("groups", self.groups), ("offset groups", self.offset_groups)];
        let steps = [("stride", self.stride), ("dilation", self.dilation)];
        for (name, size) in groups.into_iter().chain(steps).filter(|(_, size)| *size != 1) {
            title.push_str(&format!(", {name} {size}"));
        }
        if self.mask { title } else { title + ", no mask" }
    }

    /// Returns all sizes of the layer.
    pub(crate) fn geometry(&self) -> deform::Result<Geometry> {
        Geometry::new(self.shapes().map(Vec::as_slice), &self.options())
    }

    /// Returns the operands' shapes.
    pub(crate) fn shapes(&self) -> Inputs<Vec<usize>> {
        let [height, width] = self.size;
        let [out_height, out_width] = self.out_size();
        let taps = self.kernel * self.kernel;
        let pairs = self.offset_groups * taps;
        Inputs {
            input: vec![self.batch, self.in_channels, height, width],
            offset: vec![self.batch, 2 * pairs, out_height, out_width],
            weight: vec![self.out_channels, self.in_channels / self.groups, self.kernel, self.kernel],
            mask: self.mask.then(|| vec![self.batch, pairs, out_height, out_width]),
            bias: self.bias.then(|| vec![self.out_channels]),
        }
    }

    /// Makes random operands that are the same in every run and on every machine.
    pub(crate) fn operands(&self) -> Inputs<HostTensor> {
        let mut rng = StdRng::seed_from_u64(0xdef0);
        let shapes = self.shapes();
        // This scale keeps the output's variance near the input's, as in a trained network.
        let row: usize = shapes.weight[1..].iter().product();
        let weight_scale = 1.0 / (row as f32).sqrt();
        let normal = |rng: &mut StdRng, shape: &[usize], scale: f32| HostTensor {
            shape: shape.to_vec(),
            values: random(rng, shape, |rng| scale * Distribution::<f32>::sample(&StandardNormal, rng)),
        };
        Inputs {
            input: normal(&mut rng, &shapes.input, 1.0),
            offset: self.offset(&mut rng, &shapes.offset),
            weight: normal(&mut rng, &shapes.weight, weight_scale),
            mask: shapes.mask.map(|shape| HostTensor { values: random(&mut rng, &shape, |rng| rng.random()), shape }),
            bias: shapes.bias.map(|shape| normal(&mut rng, &shape, 1.0)),
        }
    }

    fn offset(&self, rng: &mut StdRng, shape: &[usize]) -> HostTensor {
        let (channels, height, width) = (shape[1], shape[2], shape[3]);
        let residual = match self.offsets {
            Offsets::Normal => 2.0,
            Offsets::Flow => 1.0,
            Offsets::Cycle => 0.0,
        };
        let mut values = random(rng, shape, |rng| residual * Distribution::<f32>::sample(&StandardNormal, rng));
        for (index, value) in values.iter_mut().enumerate() {
            let (channel, y, x) = (index / (width * height) % channels, index / width % height, index % width);
            *value += match self.offsets {
                Offsets::Normal => 0.0,
                Offsets::Flow => flow(channel % 2, y as f32 / height as f32, x as f32 / width as f32),
                // With a 1×1 kernel, offset channels 2c and 2c + 1 are the y and x of input channel c.
                Offsets::Cycle if channel % 2 == 0 => 0.0,
                Offsets::Cycle => ((channel / 2 + CYCLE / 2) % CYCLE) as f32 - (CYCLE / 2) as f32,
            };
        }
        HostTensor { shape: shape.to_vec(), values }
    }
}

/// Returns a smooth flow of up to 20 pixels whose neighbouring pixels differ by less than one. `y` and `x` are
/// fractions of the image's size.
fn flow(axis: usize, y: f32, x: f32) -> f32 {
    use std::f32::consts::PI;
    match axis {
        0 => 20.0 * (PI * x).cos() * (0.5 * PI * y).cos(),
        _ => 20.0 * (PI * y).sin() * (0.5 * PI * x).cos(),
    }
}

fn random(rng: &mut StdRng, shape: &[usize], mut value: impl FnMut(&mut StdRng) -> f32) -> Vec<f32> {
    (0..shape.iter().product()).map(|_| value(rng)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Geometry, LAYERS, Layer, Offsets};

    /// The sizes from the networks' papers and code, as (name, column buffer in MiB, GFLOP), computed independently of
    /// [`LAYERS`].
    const PUBLISHED: [(&str, f64, f64); 18] = [
        ("resnet_c3", 73.8, 4.95),
        ("resnet_c4", 36.9, 4.95),
        ("resnet_c5", 18.5, 4.95),
        ("resnext_c4", 147.7, 2.48),
        ("yolact_c3", 20.9, 1.40),
        ("yolact_c5", 5.7, 1.53),
        ("centernet_16", 4.5, 0.60),
        ("centernet_128", 36.0, 1.21),
        ("birefnet_k3", 144.0, 19.3),
        ("birefnet_k7", 784.0, 105.0),
        ("birefnet_k7_small", 12.2, 1.64),
        ("edvr_l1", 253.0, 17.0),
        ("edvr_train", 36.0, 1.21),
        ("basicvsr", 253.0, 8.49),
        ("tdan", 127.0, 4.25),
        ("reppoints", 148.0, 19.8),
        ("depthwise", 36.0, 0.019),
        ("cyclefc", 0.8, 0.03),
    ];

    fn flops(layer: &Layer) -> f64 {
        layer.geometry().expect("the shapes fit together").flops()
    }

    #[test]
    fn every_layer_has_its_published_size() {
        for (layer, (name, mebibytes, gflop)) in LAYERS.iter().zip(PUBLISHED) {
            assert_eq!(layer.name, name);
            let [height, width] = layer.out_size();
            let taps = layer.kernel * layer.kernel;
            let columns = (4 * layer.batch * layer.in_channels * taps * height * width) as f64 / f64::from(1 << 20);
            assert!((columns / mebibytes - 1.0).abs() < 0.06, "{name}: {columns} MiB");
            let computed = flops(layer) / 1e9;
            assert!((computed / gflop - 1.0).abs() < 0.15, "{name}: {computed} GFLOP");
        }
        assert_eq!(LAYERS.len(), PUBLISHED.len());
    }

    #[test]
    fn the_operands_fit_together_and_are_the_same_every_time() {
        for layer in LAYERS.iter().filter(|layer| flops(layer) < 1.3e9) {
            let operands = layer.operands();
            let shapes = operands.map(|operand| operand.shape.as_slice());
            let geometry = Geometry::new(shapes, &layer.options()).expect("the operands fit together");
            assert_eq!(geometry.groups, layer.groups);
            assert_eq!(geometry.offset_groups, layer.offset_groups);
            assert_eq!([geometry.out_height, geometry.out_width], layer.out_size());
            assert_eq!(operands.offset.values, layer.operands().offset.values, "{}", layer.name);
        }
    }

    #[test]
    fn cycle_fc_moves_channels_by_whole_pixels_along_x() {
        let layer = LAYERS.iter().find(|layer| layer.offsets == Offsets::Cycle).expect("cyclefc is in the table");
        let offset = layer.operands().offset;
        let pixels = offset.shape[2] * offset.shape[3];
        let channel = |index: usize| offset.values[index * pixels];
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(channel), [0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0]);
    }
}
