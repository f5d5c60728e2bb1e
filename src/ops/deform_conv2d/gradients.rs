//! The gradients of a call: which are wanted, where they go, what came of them.

use crate::Tensor;

/// Something for the gradient by each operand: `Gradients<bool>` says which are wanted, `Gradients<Option<Tensor>>` holds those that
/// were. Each has its operand's shape, and is f32 whatever the operands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs, reason = "each name is the operand it says")]
pub struct Gradients<T> {
    pub input: T,
    pub offset: T,
    pub weight: T,
    pub mask: T,
    pub bias: T,
}

/// What becomes of a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// It is not computed.
    #[default]
    Skip,
    /// It replaces what is there.
    Write,
    /// It is added to what is there.
    Add,
}

/// Where [`DeformConv2d::record_backward`](super::DeformConv2d::record_backward) puts a gradient.
#[derive(Debug, Clone, Copy)]
pub enum Gradient<'a> {
    /// Replaces the tensor's contents.
    Write(&'a Tensor),
    /// Adds to them: gradients of several calls, accumulated.
    Add(&'a Tensor),
}

impl<'a> Gradient<'a> {
    /// The tensor.
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

impl<T> Gradients<T> {
    /// What `of` makes of each.
    pub fn map<'a, U>(&'a self, mut of: impl FnMut(&'a T) -> U) -> Gradients<U> {
        Gradients {
            input: of(&self.input),
            offset: of(&self.offset),
            weight: of(&self.weight),
            mask: of(&self.mask),
            bias: of(&self.bias),
        }
    }

    /// The same, or the first error.
    ///
    /// # Errors
    /// What `of` returns.
    pub fn try_map<'a, U, E>(&'a self, mut of: impl FnMut(&'a T) -> Result<U, E>) -> Result<Gradients<U>, E> {
        Ok(Gradients {
            input: of(&self.input)?,
            offset: of(&self.offset)?,
            weight: of(&self.weight)?,
            mask: of(&self.mask)?,
            bias: of(&self.bias)?,
        })
    }

    /// What `of` makes of each and its counterpart.
    pub fn zip<'a, O, U>(&'a self, other: &'a Gradients<O>, mut of: impl FnMut(&'a T, &'a O) -> U) -> Gradients<U> {
        Gradients {
            input: of(&self.input, &other.input),
            offset: of(&self.offset, &other.offset),
            weight: of(&self.weight, &other.weight),
            mask: of(&self.mask, &other.mask),
            bias: of(&self.bias, &other.bias),
        }
    }

    /// Each with its operand's name.
    pub fn named(&self) -> [(&'static str, &T); 5] {
        [
            ("input", &self.input),
            ("offset", &self.offset),
            ("weight", &self.weight),
            ("mask", &self.mask),
            ("bias", &self.bias),
        ]
    }
}

impl Gradients<bool> {
    /// All; those by a mask and a bias where the call has them.
    pub const ALL: Self = Self { input: true, offset: true, weight: true, mask: true, bias: true };
}

impl Gradients<Option<Gradient<'_>>> {
    pub(in crate::ops) fn modes(&self) -> Gradients<Mode> {
        self.map(|target| target.map_or(Mode::Skip, Gradient::mode))
    }
}

impl Mode {
    pub(super) fn wanted(self) -> bool {
        self != Self::Skip
    }

    /// 1 to add, for a kernel's parameter.
    pub(super) fn adds(self) -> u64 {
        u64::from(self == Self::Add)
    }
}
