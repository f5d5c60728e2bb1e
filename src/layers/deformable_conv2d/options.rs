//! The options of the layer.

use crate::ops::deform_conv2d::Options;

/// The mask that the layer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mask {
    /// The layer makes no mask: deformable convolution v1.
    None,
    /// The mask is `σ` of the generator's output, as in mmcv and CenterNet. A generator of zeros makes a mask of ½.
    #[default]
    Sigmoid,
    /// The mask is `2·σ` of the generator's output, as in BiRefNet. With a generator of zeros the layer is an ordinary
    /// convolution.
    TwiceSigmoid,
}

/// The generator: the convolutions that make offset and mask. They have the layer's stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generator {
    /// The kernel, `[height, width]`.
    pub kernel_size: [usize; 2],
    /// Rows and columns of zeros on both sides.
    pub padding: [usize; 2],
    /// Input pixels between neighbouring taps.
    pub dilation: [usize; 2],
}

/// The options of a [`DeformableConv2d`](super::DeformableConv2d).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeformableConv2dOptions {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// The kernel, `[height, width]`.
    pub kernel_size: [usize; 2],
    /// The number of weight groups.
    pub groups: usize,
    /// The number of offset groups: groups of input channels that have their own offsets.
    pub offset_groups: usize,
    /// Whether the layer has a bias.
    pub bias: bool,
    /// The mask.
    pub mask: Mask,
    /// The convolutions that make offset and mask. Their outputs must be as large as the layer's.
    pub generator: Generator,
    /// Stride, padding, dilation, algorithm and workspace.
    pub deform: Options,
}

impl DeformableConv2dOptions {
    /// Returns the options of a layer of stride 1 whose output is as large as its input (for odd kernels). It has a
    /// bias, a [`Mask::Sigmoid`], one group of each kind, and a generator with the same kernel and padding.
    #[must_use]
    pub const fn new(in_channels: usize, out_channels: usize, kernel_size: [usize; 2]) -> Self {
        let padding = [kernel_size[0] / 2, kernel_size[1] / 2];
        Self {
            in_channels,
            out_channels,
            kernel_size,
            groups: 1,
            offset_groups: 1,
            bias: true,
            mask: Mask::Sigmoid,
            generator: Generator { kernel_size, padding, dilation: [1, 1] },
            deform: Options { padding, ..Options::default() },
        }
    }
}
