//! The operands of a call.

/// The operands of one call, in torchvision's names: tensors, host slices or shapes, depending on `T`. The weight may come in
/// another form than the rest, `W`: see [`PreparedWeight`](super::PreparedWeight).
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
    /// How far each tap of each output pixel is moved, in pixels.
    pub offset: T,
    /// The kernel's weights.
    pub weight: W,
    /// What each sampled value is multiplied by (v2); any real number.
    pub mask: Option<T>,
    /// What is added to each output channel.
    pub bias: Option<T>,
}

impl<T: Copy, W> Inputs<T, W> {
    /// The same operands, but for the weight.
    pub fn with_weight<V>(&self, weight: V) -> Inputs<T, V> {
        Inputs { input: self.input, offset: self.offset, weight, mask: self.mask, bias: self.bias }
    }
}

/// The operands of any convolution: without an offset it is an ordinary one.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Operands<T> {
    pub(in crate::ops) input: T,
    pub(in crate::ops) offset: Option<T>,
    pub(in crate::ops) weight: T,
    pub(in crate::ops) mask: Option<T>,
    pub(in crate::ops) bias: Option<T>,
}

impl<T> From<Inputs<T>> for Operands<T> {
    fn from(inputs: Inputs<T>) -> Self {
        let Inputs { input, offset, weight, mask, bias } = inputs;
        Self { input, offset: Some(offset), weight, mask, bias }
    }
}

impl<T> Operands<T> {
    pub(in crate::ops) fn map<'a, U>(&'a self, view: impl Fn(&'a T) -> U) -> Operands<U> {
        Operands {
            input: view(&self.input),
            offset: self.offset.as_ref().map(&view),
            weight: view(&self.weight),
            mask: self.mask.as_ref().map(&view),
            bias: self.bias.as_ref().map(&view),
        }
    }

    /// The operands that are there, with their names.
    pub(in crate::ops) fn named(&self) -> impl Iterator<Item = (&'static str, &T)> {
        let Self { input, offset, weight, mask, bias } = self;
        let operands = [("input", Some(input)), ("offset", offset.as_ref()), ("weight", Some(weight))];
        let optional = [("mask", mask.as_ref()), ("bias", bias.as_ref())];
        operands.into_iter().chain(optional).filter_map(|(name, operand)| Some((name, operand?)))
    }
}

impl<T> Inputs<T> {
    /// The same operands seen through `view`.
    pub fn map<'a, U>(&'a self, view: impl Fn(&'a T) -> U) -> Inputs<U> {
        Inputs {
            input: view(&self.input),
            offset: view(&self.offset),
            weight: view(&self.weight),
            mask: self.mask.as_ref().map(&view),
            bias: self.bias.as_ref().map(&view),
        }
    }

    /// The operands that are there, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &T)> {
        let always = [("input", &self.input), ("offset", &self.offset), ("weight", &self.weight)];
        let mask = self.mask.as_ref().map(|mask| ("mask", mask));
        let bias = self.bias.as_ref().map(|bias| ("bias", bias));
        always.into_iter().chain(mask).chain(bias)
    }
}
