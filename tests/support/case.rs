//! A call of deform_conv2d with operands made from a seed.

use deform::ops::deform_conv2d::Geometry;
use deform::{Inputs, Options};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Shapes, options and operands of one call.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub options: Options,
    pub shapes: Inputs<Vec<usize>>,
    pub operands: Inputs<Vec<f32>>,
}

/// The sizes that the shapes of a case follow from. With `..PLAIN` a test states only what is special about its case.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub batch: usize,
    pub in_channels: usize,
    pub input: [usize; 2],
    pub out_channels: usize,
    pub kernel: [usize; 2],
    pub groups: usize,
    pub offset_groups: usize,
    pub mask: bool,
    pub bias: bool,
    /// The largest offset in each direction, in pixels.
    pub reach: f32,
}

pub const PLAIN: Sizes = Sizes {
    batch: 1,
    in_channels: 4,
    input: [7, 6],
    out_channels: 4,
    kernel: [3, 3],
    groups: 1,
    offset_groups: 1,
    mask: true,
    bias: true,
    reach: 3.0,
};

impl Sizes {
    /// Returns the operands' shapes.
    pub fn shapes(&self, options: &Options) -> Inputs<Vec<usize>> {
        let out = |axis: usize| {
            let extent = options.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (self.input[axis] + 2 * options.padding[axis] - extent) / options.stride[axis] + 1
        };
        let taps = self.offset_groups * self.kernel[0] * self.kernel[1];
        Inputs {
            input: vec![self.batch, self.in_channels, self.input[0], self.input[1]],
            offset: vec![self.batch, 2 * taps, out(0), out(1)],
            weight: vec![self.out_channels, self.in_channels / self.groups, self.kernel[0], self.kernel[1]],
            mask: self.mask.then(|| vec![self.batch, taps, out(0), out(1)]),
            bias: self.bias.then(|| vec![self.out_channels]),
        }
    }
}

/// Returns options with a padding that keeps the image's size under a 3×3 kernel.
pub fn padded() -> Options {
    Options { padding: [1, 1], ..Options::default() }
}

/// Turns the case into an ordinary convolution: no mask, one offset group, and offsets of zero.
pub fn regular(mut case: Case) -> Case {
    let taps = case.shapes.weight[2] * case.shapes.weight[3];
    case.shapes.mask = None;
    case.operands.mask = None;
    case.shapes.offset[1] = 2 * taps;
    case.operands.offset = vec![0.0; case.shapes.offset.iter().product()];
    case
}

/// Turns the case into a depthwise convolution of its input channels: see [`small_groups`].
pub fn depthwise(case: Case) -> Case {
    small_groups(case, 1, 1)
}

/// Turns the case into a convolution with weight groups of `group_channels` input channels, if
/// [`deform::ops::deform_conv2d::Algorithm::Depthwise`] can compute that, or else of one, and of `rows` output channels.
/// The numbers of its weight and bias are cut off or repeated to
/// fill the new shapes.
pub fn small_groups(mut case: Case, group_channels: usize, rows: usize) -> Case {
    let shared = case.geometry().channels_per_offset_group();
    let possible = shared.is_multiple_of(group_channels) && (shared == group_channels || group_channels != 3);
    let group_channels = if possible { group_channels } else { 1 };
    let out_channels = case.shapes.input[1] / group_channels * rows;
    let repeat = |values: &mut Vec<f32>, count| *values = values.iter().copied().cycle().take(count).collect();
    case.shapes.weight[..2].copy_from_slice(&[out_channels, group_channels]);
    repeat(&mut case.operands.weight, case.shapes.weight.iter().product());
    if let (Some(shape), Some(bias)) = (&mut case.shapes.bias, &mut case.operands.bias) {
        shape[0] = out_channels;
        repeat(bias, out_channels);
    }
    case.options.algorithm = deform::ops::deform_conv2d::Algorithm::Depthwise;
    case
}

/// The place of one element of an offset.
#[derive(Debug, Clone, Copy)]
pub struct OffsetPlace {
    /// The element's index.
    pub index: usize,
    /// The index of its plane in the image's offset.
    pub plane: usize,
    pub group: usize,
    pub tap: [usize; 2],
    /// 0 for an offset of y, 1 for an offset of x.
    pub axis: usize,
    pub y: usize,
    pub x: usize,
}

impl OffsetPlace {
    fn new(geometry: &Geometry, index: usize) -> Self {
        let (row, x) = (index / geometry.out_width, index % geometry.out_width);
        let (plane, y) = (row / geometry.out_height, row % geometry.out_height);
        let plane = plane % (2 * geometry.taps() * geometry.offset_groups);
        let tap = plane / 2 % geometry.taps();
        let tap = [tap / geometry.kernel_width, tap % geometry.kernel_width];
        Self { index, plane, group: plane / 2 / geometry.taps(), tap, axis: plane % 2, y, x }
    }
}

impl Case {
    /// Returns the same case by another algorithm.
    pub fn by(self, algorithm: deform::ops::deform_conv2d::Algorithm) -> Self {
        Self { options: Options { algorithm, ..self.options }, ..self }
    }

    /// Makes a case with random operands: input, weight and bias in −1…1, mask in −0.5…1.5, offsets in ±reach. The same
    /// shapes get the same operands.
    pub fn new(name: &str, sizes: Sizes, options: Options) -> Self {
        let s = sizes;
        let shapes = s.shapes(&options);
        let mut rng = StdRng::seed_from_u64(0xDEF0);
        let mut random = |shape: &Vec<usize>, low: f32, high: f32| -> Vec<f32> {
            (0..shape.iter().product::<usize>()).map(|_| rng.random_range(low..high)).collect()
        };
        let operands = Inputs {
            input: random(&shapes.input, -1.0, 1.0),
            offset: random(&shapes.offset, -s.reach, s.reach),
            weight: random(&shapes.weight, -1.0, 1.0),
            mask: shapes.mask.as_ref().map(|shape| random(shape, -0.5, 1.5)),
            bias: shapes.bias.as_ref().map(|shape| random(shape, -1.0, 1.0)),
        };
        Self { name: name.into(), options, shapes, operands }
    }

    /// Replaces each offset by a function of its place and its value.
    pub fn with_offsets(mut self, offset: impl Fn(OffsetPlace, f32) -> f32) -> Self {
        let geometry = self.geometry();
        for (index, value) in self.operands.offset.iter_mut().enumerate() {
            *value = offset(OffsetPlace::new(&geometry, index), *value);
        }
        self
    }

    pub fn geometry(&self) -> Geometry {
        Geometry::new(self.shape_slices(), &self.options).expect("the case is valid")
    }

    pub fn shape_slices(&self) -> Inputs<&[usize]> {
        self.shapes.map(Vec::as_slice)
    }

    pub fn slices(&self) -> Inputs<&[f32]> {
        self.operands.map(Vec::as_slice)
    }
}
