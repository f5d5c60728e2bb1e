//! What makes a layer that makes its own offsets.

use crate::ops::deform_conv2d::Options;

/// The mask that a layer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mask {
    /// None: deformable convolution v1.
    None,
    /// `σ` of what the generator computes, as mmcv's and CenterNet's: a generator of zeros masks all by half.
    #[default]
    Sigmoid,
    /// `2·σ`, as BiRefNet's: with a generator of zeros the layer is the ordinary convolution.
    TwiceSigmoid,
}

/// The convolutions that make offset and mask, with the layer's stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generator {
    /// Kernel, `[height, width]`.
    pub kernel: [usize; 2],
    /// Rows and columns of zeros on both sides.
    pub padding: [usize; 2],
    /// Input pixels between neighbouring taps.
    pub dilation: [usize; 2],
}

/// What a [`DeformableConv2d`](super::DeformableConv2d) is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeformableConv2dOptions {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Kernel, `[height, width]`.
    pub kernel: [usize; 2],
    /// Channels are convolved in so many groups.
    pub groups: usize,
    /// So many groups of input channels have offsets of their own.
    pub offset_groups: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// The mask.
    pub mask: Mask,
    /// What makes offset and mask. Its output must be as large as the layer's.
    pub generator: Generator,
    /// Stride, padding, dilation, and how the work is done.
    pub deform: Options,
}

impl DeformableConv2dOptions {
    /// A layer of stride 1 whose output is as large as its input (for odd kernels), with a bias and a [`Mask::Sigmoid`], one group of each kind, and a
    /// generator of the same kernel and padding: the article's module.
    #[must_use]
    pub fn new(in_channels: usize, out_channels: usize, kernel: [usize; 2]) -> Self {
        let padding = kernel.map(|size| size / 2);
        Self {
            in_channels,
            out_channels,
            kernel,
            groups: 1,
            offset_groups: 1,
            bias: true,
            mask: Mask::default(),
            generator: Generator { kernel, padding, dilation: [1, 1] },
            deform: Options { padding, ..Options::default() },
        }
    }
}
