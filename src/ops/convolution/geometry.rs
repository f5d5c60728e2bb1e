//! Validates the shapes and options of a call, and derives all sizes from them.

use std::fmt;
use std::ops::Range;

use super::algorithm::Algorithm;
use super::operands::Operands;
use super::options::Options;
use crate::error::{Error, Result};
use crate::kernel::shared::tap_geometry::TapGeometry;
use crate::kernel::{Sampling, Specialization, Storage};
use crate::ops::activation::Activation;
use crate::plan::check_shape;

/// All sizes of one call. `groups` and `offset_groups` follow from the shapes, as in torchvision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each name is the size it says; see Inputs and Options")]
pub struct Geometry {
    pub batch: usize,
    pub in_channels: usize,
    pub in_height: usize,
    pub in_width: usize,
    pub out_channels: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub kernel_height: usize,
    pub kernel_width: usize,
    pub groups: usize,
    pub offset_groups: usize,
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub has_mask: bool,
    pub has_bias: bool,
    pub(crate) storage: Storage,
    pub(crate) sampling: Sampling,
    pub activation: Activation,
    pub(in crate::ops) band: Band,
}

/// The place of a band in the call that it is a part of. The whole call is the band at the default place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::ops) struct Band {
    /// The image of the call that is the band's first.
    pub(super) image: usize,
    /// The row of the call's output that is the band's first.
    pub(super) top: usize,
}

impl fmt::Display for Geometry {
    /// Writes all sizes in one line, as the key of a [`Tuning`](super::Tuning) entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self { batch, in_channels, in_height, in_width, out_channels, kernel_height, kernel_width, .. } = self;
        write!(f, "input {batch}x{in_channels}x{in_height}x{in_width}")?;
        write!(f, " weight {out_channels}x{}x{kernel_height}x{kernel_width}", self.channels_per_group())?;
        match self.sampling {
            Sampling::Deformed => write!(f, " offset groups {}", self.offset_groups)?,
            Sampling::Regular => f.write_str(" no offset")?,
        }
        for (name, [height, width]) in [("stride", self.stride), ("padding", self.padding), ("dilation", self.dilation)]
        {
            write!(f, " {name} {height},{width}")?;
        }
        let present = [(self.has_mask, " mask"), (self.has_bias, " bias")];
        present.into_iter().filter(|(there, _)| *there).try_for_each(|(_, name)| f.write_str(name))?;
        if self.activation != Activation::Identity {
            write!(f, " {:?}", self.activation)?;
        }
        match self.storage {
            Storage::F32 => Ok(()),
            Storage::F16 => f.write_str(" f16"),
            Storage::PackedF16 => f.write_str(" packed f16"),
        }
    }
}

/// The largest position. f32 holds every whole number up to it, so positions without offsets, and the image's size, are
/// exact.
const MAX_POSITION: u64 = 1 << 24;
const AXIS_NAMES: [&str; 2] = ["height", "width"];

impl Geometry {
    /// Validates `shapes` and `options` together:
    ///
    /// ```text
    /// groups        = in_channels / weight.shape[1]
    /// offset_groups = offset.shape[1] / (2·kernel_height·kernel_width)
    /// out_height    = (in_height + 2·padding − (dilation·(kernel_height − 1) + 1)) / stride + 1      and the same for out_width
    /// ```
    ///
    /// # Errors
    /// Returns [`Error::Rank`], [`Error::EmptyAxis`], [`Error::ZeroOption`], [`Error::NotAMultiple`],
    /// [`Error::OutputTooSmall`], [`Error::TooLarge`] or [`Error::Axis`] for the first mistake.
    pub fn new<'a>(shapes: impl Into<Operands<&'a [usize]>>, options: &Options) -> Result<Self> {
        let shapes = shapes.into();
        let [batch, in_channels, in_height, in_width] = axes("input", shapes.input)?;
        let [out_channels, group_channels, kernel_height, kernel_width] = axes("weight", shapes.weight)?;
        for (operand, shape, first) in [("input", shapes.input, 1), ("weight", shapes.weight, 0)] {
            if let Some(axis) = (first..shape.len()).find(|&axis| shape[axis] == 0) {
                return Err(Error::EmptyAxis { operand, axis });
            }
        }
        for (operand, shape) in shapes.named() {
            check_shape(operand, shape)?;
        }
        for (option, value) in [("stride", options.stride), ("dilation", options.dilation)] {
            if let Some(axis) = (0..2).find(|&axis| value[axis] == 0) {
                return Err(Error::ZeroOption { option, axis, axis_name: AXIS_NAMES[axis] });
            }
        }

        let because = "weight axis 1, the input channels of one weight group";
        let groups = multiple("input", 1, in_channels, group_channels, because)?;
        multiple("weight", 0, out_channels, groups, "groups = input axis 1 / weight axis 1")?;

        let out_size = |axis: usize, input: usize, kernel: usize| {
            out_size(axis, input, kernel, options.stride[axis], options.padding[axis], options.dilation[axis])
        };
        let out_height = out_size(0, in_height, kernel_height)?;
        let out_width = out_size(1, in_width, kernel_width)?;

        let taps = kernel_height.saturating_mul(kernel_width);
        let mut offset_groups = 1;
        if let Some(offset) = shapes.offset {
            let [offset_batch, offset_channels, offset_height, offset_width] = axes("offset", offset)?;
            let because = "2·kernel_height·kernel_width, a y and an x for each tap";
            offset_groups = multiple("offset", 1, offset_channels, taps.saturating_mul(2), because)?;
            let because = "offset_groups = offset axis 1 / (2·kernel_height·kernel_width)";
            multiple("input", 1, in_channels, offset_groups, because)?;
            same("offset", 0, offset_batch, batch, "the batch of input")?;
            same("offset", 2, offset_height, out_height, "the output's height")?;
            same("offset", 3, offset_width, out_width, "the output's width")?;
        }
        if let Some(mask) = shapes.mask {
            let [mask_batch, mask_channels, mask_height, mask_width] = axes("mask", mask)?;
            same("mask", 0, mask_batch, batch, "the batch of input")?;
            same("mask", 1, mask_channels, offset_groups * taps, "offset_groups·kernel_height·kernel_width")?;
            same("mask", 2, mask_height, out_height, "the output's height")?;
            same("mask", 3, mask_width, out_width, "the output's width")?;
        }
        if let Some(bias) = shapes.bias {
            let [bias_channels] = axes("bias", bias)?;
            same("bias", 0, bias_channels, out_channels, "the output channels, weight axis 0")?;
        }

        check_shape("output", &[batch, out_channels, out_height, out_width])?;
        Ok(Self {
            batch,
            in_channels,
            in_height,
            in_width,
            out_channels,
            out_height,
            out_width,
            kernel_height,
            kernel_width,
            groups,
            offset_groups,
            stride: options.stride,
            padding: options.padding,
            dilation: options.dilation,
            has_mask: shapes.mask.is_some(),
            has_bias: shapes.bias.is_some(),
            storage: Storage::F32,
            sampling: if shapes.offset.is_some() { Sampling::Deformed } else { Sampling::Regular },
            activation: Activation::default(),
            band: Band::default(),
        })
    }

    /// Returns the same sizes with another storage of the operands. [`Geometry::new`] assumes f32.
    pub(crate) fn stored(self, storage: Storage) -> Self {
        Self { storage, ..self }
    }

    /// Returns the specialization of this call's kernels.
    pub(crate) fn specialization(&self) -> Specialization {
        Specialization { sampling: self.sampling, ..self.storage.into() }
    }

    /// Returns the number of elements of one image's offset.
    #[must_use]
    pub fn offset_elements(&self) -> usize {
        match self.sampling {
            Sampling::Deformed => 2 * self.offset_groups * self.taps() * self.out_pixels(),
            Sampling::Regular => 0,
        }
    }

    /// Returns the number of taps, `kernel_height · kernel_width`.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel_height * self.kernel_width
    }

    /// Returns the number of pixels of one input plane.
    #[must_use]
    pub fn in_pixels(&self) -> usize {
        self.in_height * self.in_width
    }

    /// Returns the number of pixels of one plane of the output, which is also that of the offset and the mask.
    #[must_use]
    pub fn out_pixels(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Returns the number of elements of the weight.
    #[must_use]
    pub fn weight_elements(&self) -> usize {
        self.out_channels * self.channels_per_group() * self.taps()
    }

    /// Returns the number of input channels of one weight group.
    #[must_use]
    pub fn channels_per_group(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Returns the number of output channels of one weight group.
    #[must_use]
    pub fn out_channels_per_group(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Returns whether the convolution is depthwise: every output channel has its own input channel.
    #[must_use]
    pub fn is_depthwise(&self) -> bool {
        self.groups == self.in_channels && self.groups == self.out_channels
    }

    /// Returns whether weight groups are so small that no product is needed: at most 4 input channels and at most 8
    /// output channels. Offset groups, whose channels share their positions, and packs have whole weight groups.
    pub(super) fn has_small_groups(&self) -> bool {
        let (channels, shared) = (self.channels_per_group(), self.channels_per_offset_group());
        let packs_are_whole = shared == channels || 4_usize.is_multiple_of(channels);
        channels <= 4 && self.out_channels_per_group() <= 8 && shared.is_multiple_of(channels) && packs_are_whole
    }

    /// Returns the binary logarithm of the lanes that a small weight group takes in a pack.
    pub(super) fn group_shift(&self) -> u64 {
        self.channels_per_group().next_power_of_two().ilog2().into()
    }

    /// Returns an error unless [`Geometry::has_small_groups`].
    pub(super) fn check_small_groups(&self) -> Result<()> {
        if self.has_small_groups() {
            return Ok(());
        }
        let [group, rows] = [self.channels_per_group(), self.out_channels_per_group()];
        Err(Algorithm::Depthwise.unsuitable(format!(
            "a weight group has {group} input and {rows} output channels, and an offset group {} input channels; expected \
             at most 4, at most 8, and a multiple of the first, or 3 if that is 3",
            self.channels_per_offset_group(),
        )))
    }

    /// Returns the kernels' parameters for the positions of taps.
    pub(in crate::ops) fn tap_geometry(&self) -> TapGeometry {
        // A stride or dilation may exceed the range of the kernels' integers if the output has one pixel or the kernel
        // one tap. It is then never used.
        let most = |step: usize| (step as u64).min(MAX_POSITION);
        let rows_above = (self.band.top * self.stride[0]) as u64;
        TapGeometry {
            in_height: self.in_height as u64,
            in_width: self.in_width as u64,
            out_width: self.out_width as u64,
            out_pixels: self.out_pixels() as u64,
            kernel_width: self.kernel_width as u64,
            taps: self.taps() as u64,
            stride_h: most(self.stride[0]),
            stride_w: most(self.stride[1]),
            // The kernels compute in the integers modulo 2³², where the padding less the rows above may be negative.
            pad_h: (self.padding[0] as u64).wrapping_sub(rows_above) & u64::from(u32::MAX),
            pad_w: self.padding[1] as u64,
            dil_h: most(self.dilation[0]),
            dil_w: most(self.dilation[1]),
        }
    }

    /// Returns the numbers that some images of a band have in the call.
    pub(super) fn in_call(&self, images: &Range<u64>) -> Range<u64> {
        let first = self.band.image as u64;
        first + images.start..first + images.end
    }

    /// Returns the number of input channels of a segment, the longest run of channels that share their weight group and
    /// their offset group. All segments have the same length.
    #[must_use]
    pub fn segment_channels(&self) -> usize {
        let (mut a, mut b) = (self.channels_per_group(), self.channels_per_offset_group());
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    }

    /// Returns the number of input channels of an offset group.
    #[must_use]
    pub fn channels_per_offset_group(&self) -> usize {
        self.in_channels / self.offset_groups
    }

    /// Returns the output's shape.
    #[must_use]
    pub fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.out_channels, self.out_height, self.out_width]
    }

    /// Returns the floating-point operations of the forward product, where a multiply-add counts as two:
    /// `2·batch·out_height·out_width·out_channels·(in_channels/groups)·kernel_height·kernel_width`.
    #[must_use]
    pub fn flops(&self) -> f64 {
        let products = [self.batch, self.out_pixels(), self.out_channels, self.channels_per_group(), self.taps()];
        2.0 * products.iter().map(|&size| size as f64).product::<f64>()
    }
}

fn axes<const N: usize>(operand: &'static str, shape: &[usize]) -> Result<[usize; N]> {
    shape.try_into().map_err(|_| Error::Rank { operand, expected: N, got: shape.len() })
}

fn same(operand: &'static str, axis: usize, got: usize, expected: usize, because: &'static str) -> Result<()> {
    if got == expected { Ok(()) } else { Err(Error::Axis { operand, axis, expected, got, because }) }
}

fn multiple(operand: &'static str, axis: usize, got: usize, divisor: usize, because: &'static str) -> Result<usize> {
    if got == 0 || !got.is_multiple_of(divisor) {
        return Err(Error::NotAMultiple { operand, axis, got, divisor, because });
    }
    Ok(got / divisor)
}

fn out_size(axis: usize, input: usize, kernel: usize, stride: usize, padding: usize, dilation: usize) -> Result<usize> {
    let extent = dilation.saturating_mul(kernel - 1).saturating_add(1);
    let padded = padding.saturating_mul(2).saturating_add(input);
    // If the extent fits into the padded size, the last tap's position is below that.
    if padded as u64 > MAX_POSITION {
        let what = format!("the padded input {}", AXIS_NAMES[axis]);
        return Err(Error::TooLarge { what, got: padded as u64, limit: MAX_POSITION });
    }
    if extent > padded {
        // This is torchvision's formula, which rounds down below zero, too.
        let got = (padded as i128 - extent as i128).div_euclid(stride as i128) + 1;
        let (got, extent) = (i64::try_from(got).unwrap_or(i64::MIN), extent as u64);
        return Err(Error::OutputTooSmall { axis_name: AXIS_NAMES[axis], got, input, padding, extent });
    }
    Ok((padded - extent) / stride + 1)
}
