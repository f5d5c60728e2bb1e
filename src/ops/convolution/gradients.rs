//! The gradients of a call: those that are wanted, their targets, and the results.

use std::fmt;
use std::ops::Index;

use crate::gpu::Tensor;

/// An operand, by which a call may have a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each name is the operand it says")]
pub enum Operand {
    Input,
    Offset,
    Weight,
    Mask,
    Bias,
}

impl Operand {
    /// All operands, in the order of torchvision's arguments.
    pub const ALL: [Self; 5] = [Self::Input, Self::Offset, Self::Weight, Self::Mask, Self::Bias];

    /// Returns the operand's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Offset => "offset",
            Self::Weight => "weight",
            Self::Mask => "mask",
            Self::Bias => "bias",
        }
    }

    /// Returns the name of the operand's gradient.
    #[must_use]
    pub const fn gradient_name(self) -> &'static str {
        match self {
            Self::Input => "grad_input",
            Self::Offset => "grad_offset",
            Self::Weight => "grad_weight",
            Self::Mask => "grad_mask",
            Self::Bias => "grad_bias",
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value for the gradient of each operand. `Gradients<bool>` says which are wanted, and `Gradients<Option<Tensor>>`
/// holds the wanted ones. A gradient has its operand's shape, and is f32 for every element type of the operands.
/// `gradients[Operand::Input]` is `gradients.input`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs, reason = "each name is the operand it says")]
pub struct Gradients<T> {
    pub input: T,
    pub offset: T,
    pub weight: T,
    pub mask: T,
    pub bias: T,
}

impl<T> Index<Operand> for Gradients<T> {
    type Output = T;

    fn index(&self, operand: Operand) -> &T {
        match operand {
            Operand::Input => &self.input,
            Operand::Offset => &self.offset,
            Operand::Weight => &self.weight,
            Operand::Mask => &self.mask,
            Operand::Bias => &self.bias,
        }
    }
}

impl<T> Gradients<T> {
    /// Calls `of` for each operand.
    pub fn from_fn(mut of: impl FnMut(Operand) -> T) -> Self {
        Self {
            input: of(Operand::Input),
            offset: of(Operand::Offset),
            weight: of(Operand::Weight),
            mask: of(Operand::Mask),
            bias: of(Operand::Bias),
        }
    }

    /// Calls `of` for each operand, up to the first error.
    ///
    /// # Errors
    /// Returns the first error of `of`.
    pub fn try_from_fn<E>(mut of: impl FnMut(Operand) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            input: of(Operand::Input)?,
            offset: of(Operand::Offset)?,
            weight: of(Operand::Weight)?,
            mask: of(Operand::Mask)?,
            bias: of(Operand::Bias)?,
        })
    }

    /// Calls `of` for each value.
    pub fn map<'a, U>(&'a self, mut of: impl FnMut(&'a T) -> U) -> Gradients<U> {
        Gradients::from_fn(|operand| of(&self[operand]))
    }

    /// Returns the values with their operands.
    pub fn iter(&self) -> impl Iterator<Item = (Operand, &T)> {
        Operand::ALL.into_iter().map(|operand| (operand, &self[operand]))
    }
}

impl Gradients<bool> {
    /// All gradients. Those by the mask and the bias are left out if the call has none.
    pub const ALL: Self = Self { input: true, offset: true, weight: true, mask: true, bias: true };
}

/// The treatment of a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// It is not computed.
    #[default]
    Skip,
    /// It replaces the tensor's contents.
    Write,
    /// It is added to the tensor's contents.
    Add,
}

impl Mode {
    pub(in crate::ops) fn wanted(self) -> bool {
        self != Self::Skip
    }

    /// Returns 1 for [`Mode::Add`], else 0, for a kernel's parameter.
    pub(super) fn adds(self) -> u64 {
        u64::from(self == Self::Add)
    }
}

/// The target of a gradient.
#[derive(Debug, Clone, Copy)]
pub enum Gradient<'a> {
    /// The gradient replaces the tensor's contents.
    Write(&'a Tensor),
    /// The gradient is added to the tensor's contents, which accumulates the gradients of several calls.
    Add(&'a Tensor),
}

impl<'a> Gradient<'a> {
    /// Returns the tensor.
    #[must_use]
    pub fn tensor(self) -> &'a Tensor {
        match self {
            Self::Write(tensor) | Self::Add(tensor) => tensor,
        }
    }

    fn mode(self) -> Mode {
        match self {
            Self::Write(_) => Mode::Write,
            Self::Add(_) => Mode::Add,
        }
    }
}

impl<'a> Gradients<Option<Gradient<'a>>> {
    pub(crate) fn tensors(&self) -> Gradients<Option<&'a Tensor>> {
        self.map(|target| target.map(Gradient::tensor))
    }

    pub(in crate::ops) fn modes(&self) -> Gradients<Mode> {
        self.map(|target| target.map_or(Mode::Skip, Gradient::mode))
    }
}
