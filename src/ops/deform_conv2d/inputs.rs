//! The operands of a call.

use std::fmt;
use std::sync::Arc;

use crate::gpu::{Packed, Tensor};
use crate::ops::activation::Activation;
use crate::ops::convolution::{Given, Operand, Operands, Options, OutputGradient, Task};

/// The operands of one call, in torchvision's names: tensors, host slices or shapes, depending on `T`. The weight may
/// have another type `W`, such as [`PackedWeight`].
///
/// | operand | shape |
/// |---|---|
/// | `input` | `[batch, in_channels, in_height, in_width]` |
/// | `offset` | `[batch, 2·offset_groups·kernel_height·kernel_width, out_height, out_width]`; channel `2·(g·taps + t) + a`, `a` = 0 is y, 1 is x |
/// | `weight` | `[out_channels, in_channels / groups, kernel_height, kernel_width]` |
/// | `mask` | `[batch, offset_groups·kernel_height·kernel_width, out_height, out_width]`; `None` is deformable convolution v1 |
/// | `bias` | `[out_channels]` |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inputs<T, W = T> {
    /// The images.
    pub input: T,
    /// The distance by which each tap of each output pixel is moved, in pixels.
    pub offset: T,
    /// The kernel's weights.
    pub weight: W,
    /// The factor of each sampled value (v2). It may be any real number.
    pub mask: Option<T>,
    /// The term that is added to each output channel.
    pub bias: Option<T>,
}

impl<T: Copy, W> Inputs<T, W> {
    /// Returns the same operands with another weight.
    pub fn with_weight<V>(&self, weight: V) -> Inputs<T, V> {
        Inputs { input: self.input, offset: self.offset, weight, mask: self.mask, bias: self.bias }
    }
}

impl<'a> Inputs<&'a Tensor> {
    /// Returns the shapes.
    #[must_use]
    pub fn shapes(&self) -> Inputs<&'a [usize]> {
        self.map(|tensor| tensor.shape())
    }
}

impl<T> Inputs<T> {
    /// Returns references to the operands.
    pub fn as_ref(&self) -> Inputs<&T> {
        self.map(|operand| operand)
    }

    /// Returns `view` of each operand.
    pub fn map<'a, U>(&'a self, view: impl Fn(&'a T) -> U) -> Inputs<U> {
        Inputs {
            input: view(&self.input),
            offset: view(&self.offset),
            weight: view(&self.weight),
            mask: self.mask.as_ref().map(&view),
            bias: self.bias.as_ref().map(&view),
        }
    }

    /// Returns an operand, if the call has it.
    pub fn get(&self, operand: Operand) -> Option<&T> {
        match operand {
            Operand::Input => Some(&self.input),
            Operand::Offset => Some(&self.offset),
            Operand::Weight => Some(&self.weight),
            Operand::Mask => self.mask.as_ref(),
            Operand::Bias => self.bias.as_ref(),
        }
    }

    /// Returns the operands that the call has, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &T)> {
        Operand::ALL.into_iter().filter_map(|operand| Some((operand.name(), self.get(operand)?)))
    }
}

impl<T: Copy> From<&Inputs<T>> for Operands<T> {
    fn from(inputs: &Inputs<T>) -> Self {
        let &Inputs { input, offset, weight, mask, bias } = inputs;
        Self { input, offset: Some(offset), weight, mask, bias }
    }
}

impl<T: Copy> From<Inputs<T>> for Operands<T> {
    fn from(inputs: Inputs<T>) -> Self {
        Self::from(&inputs)
    }
}

/// A weight that is packed once for many calls, as in inference, in memory of its own.
/// [`pack_weight`](crate::Prepared::pack_weight) makes it. The handle is cheap to clone.
///
/// The handle serves every call. A call that needs another packing, because its groups, offset groups or algorithm
/// differ, packs the original tensor again.
#[derive(Clone)]
pub struct PackedWeight {
    weight: Tensor,
    packed: Arc<Packed>,
}

impl fmt::Debug for PackedWeight {
    /// Writes one line: the tensor that is packed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PackedWeight({:?})", self.weight)
    }
}

impl PackedWeight {
    pub(super) fn new(weight: &Tensor, packed: Packed) -> Self {
        Self { weight: weight.clone(), packed: Arc::new(packed) }
    }
}

/// The weight of a call: a tensor, which the call packs if its algorithm needs that, or a packed weight.
#[derive(Debug, Clone, Copy)]
pub enum Weight<'a> {
    /// The weight is a tensor.
    Tensor(&'a Tensor),
    /// The weight was packed before.
    Packed(&'a PackedWeight),
}

impl<'a> From<&'a Tensor> for Weight<'a> {
    fn from(weight: &'a Tensor) -> Self {
        Self::Tensor(weight)
    }
}

impl<'a> From<&'a PackedWeight> for Weight<'a> {
    fn from(weight: &'a PackedWeight) -> Self {
        Self::Packed(weight)
    }
}

/// Returns the convolution's operands.
pub(super) fn given<'a, W>(inputs: &Inputs<&'a Tensor, W>) -> Given<'a>
where
    W: Copy + Into<Weight<'a>>,
{
    let (weight, packed) = match inputs.weight.into() {
        Weight::Tensor(weight) => (weight, None),
        Weight::Packed(PackedWeight { weight, packed }) => (weight, Some(&**packed)),
    };
    Given { operands: inputs.with_weight(weight).into(), packed }
}

/// Returns the convolution's task for these operands.
pub(super) fn task<'a, W>(inputs: &Inputs<&'a Tensor, W>, options: Options) -> Task<'a>
where
    W: Copy + Into<Weight<'a>>,
{
    Task { given: given(inputs), activation: Activation::default(), options }
}

/// Wraps the gradient of an output without an activation, whose derivative needs no output.
pub(super) fn of_output(grad_output: &Tensor) -> OutputGradient<'_> {
    OutputGradient { output: None, grad_output }
}
