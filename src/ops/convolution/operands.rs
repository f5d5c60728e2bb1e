//! The operands of a convolution, deformable or ordinary.

use super::gradients::Operand;

/// The operands of one call: tensors, host slices or shapes, depending on `T`. Without an offset the convolution is
/// ordinary.
#[derive(Debug, Clone, Copy)]
pub struct Operands<T> {
    /// `[batch, in_channels, in_height, in_width]`
    pub input: T,
    /// `[batch, 2·offset_groups·kernel_height·kernel_width, out_height, out_width]`
    pub offset: Option<T>,
    /// `[out_channels, in_channels / groups, kernel_height, kernel_width]`
    pub weight: T,
    /// `[batch, offset_groups·kernel_height·kernel_width, out_height, out_width]`
    pub mask: Option<T>,
    /// `[out_channels]`
    pub bias: Option<T>,
}

impl<T> Operands<T> {
    /// Returns `view` of each operand.
    pub fn map<'a, U>(&'a self, view: impl Fn(&'a T) -> U) -> Operands<U> {
        Operands {
            input: view(&self.input),
            offset: self.offset.as_ref().map(&view),
            weight: view(&self.weight),
            mask: self.mask.as_ref().map(&view),
            bias: self.bias.as_ref().map(&view),
        }
    }

    /// Returns an operand, if the call has it.
    pub fn get(&self, operand: Operand) -> Option<&T> {
        match operand {
            Operand::Input => Some(&self.input),
            Operand::Offset => self.offset.as_ref(),
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
