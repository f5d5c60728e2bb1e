//! Plans, their steps, and the memory that the steps share.

use std::fmt;

use crate::error::{Error, Result};
use crate::kernel::shared::texels::TEXELS_PER_ROW;
use crate::kernel::{Kernel, Specialization};

/// The most loop steps that one invocation may take. A loop costs its trips plus one at every entry.
///
/// Mesa's CPU driver up to version 24.3 ends every loop without an error once an invocation has used 65,535 steps: the numbers are
/// wrong then. To keep below that costs other devices nothing.
pub const MAX_LOOP_STEPS: u64 = 60_000;

/// The most steps that a plan may have. With more, a tiny workspace would make a recording endless; this makes it an error.
pub const MAX_STEPS: u64 = 65_536;

/// What the device is to do: dispatches in order. Each sees what those before it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The operator's name for this way to compute it; empty where it knows only one.
    pub algorithm: String,
    /// The dispatches.
    pub steps: Vec<Step>,
    /// How many of the first steps read nothing but the weight. Their results may be kept while the weight stays the same.
    pub weight_steps: usize,
    /// The bytes of workspace that the steps share.
    pub workspace_bytes: u64,
    /// The textures and buffers that steps write and later steps read, beside the workspace. The operator provides them.
    pub scratch: Vec<Scratch>,
}

/// A texture or buffer that the operator provides. A larger one serves as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scratch {
    /// The name by which windows refer to it.
    pub name: &'static str,
    /// Its kind and its size.
    pub size: Size,
}

/// The kind of a [`Scratch`], and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A texture of `rgba32float` texels, width by height.
    Texels([u64; 2]),
    /// A buffer.
    Bytes(u64),
}

/// One dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Which of its texts.
    pub specialization: Specialization,
    /// The contents of its uniform.
    pub params: Vec<u32>,
    /// The windows bound to its storage bindings, in their order.
    pub windows: Vec<Window>,
    /// The grid.
    pub workgroups: [u32; 3],
}

/// The part of an operand that one binding covers, in bytes from the operand's start. A texture is always bound whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The name of an operand or a [`Scratch`], or [`WORKSPACE`].
    pub operand: &'static str,
    /// The first byte; a multiple of the device's binding alignment.
    pub start: u64,
    /// The number of bytes.
    pub bytes: u64,
}

/// The name by which windows refer to the workspace.
pub const WORKSPACE: &str = "workspace";

/// Bytes of an f32 element.
pub const F32_BYTES: u64 = 4;

impl Plan {
    /// Adds a step.
    ///
    /// # Errors
    /// [`Error::TooManySteps`] where there are [`MAX_STEPS`] already.
    pub(crate) fn push(&mut self, step: Step) -> Result<()> {
        self.steps.push(step);
        let count = self.steps.len() as u64;
        if count > MAX_STEPS { Err(Error::TooManySteps { steps: count, limit: MAX_STEPS }) } else { Ok(()) }
    }

    /// The device memory that the call needs beside its operands: workspace and scratch.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.workspace_bytes + self.scratch.iter().map(Scratch::bytes).sum::<u64>()
    }
}

/// Bytes of an `rgba32float` texel.
pub const TEXEL_BYTES: u64 = 16;

impl Size {
    /// A texture that is one long row of texels, folded as `shaders/shared/texels.wgsl` unfolds it.
    pub(crate) fn long_row(texels: u64) -> Self {
        Self::Texels([texels.min(TEXELS_PER_ROW), texels.div_ceil(TEXELS_PER_ROW)])
    }
}

const _: () = assert!(TEXELS_PER_ROW <= 8192, "WebGPU's default limits allow no longer row");

impl Scratch {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self.size {
            Size::Texels([width, height]) => width * height * TEXEL_BYTES,
            Size::Bytes(bytes) => bytes,
        }
    }

    /// The number of texels that have as many bytes.
    pub(crate) fn texels(&self) -> u64 {
        self.bytes() / TEXEL_BYTES
    }

    /// A window over all of it.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { operand: self.name, start: 0, bytes: self.bytes() }
    }
}

impl fmt::Display for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            Size::Texels([width, height]) => write!(f, "texture {} {width}×{height}", self.name),
            Size::Bytes(bytes) => write!(f, "buffer {} {bytes} bytes", self.name),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.algorithm.is_empty() {
            write!(f, "{}: ", self.algorithm)?;
        }
        write!(f, "{} steps, workspace {} bytes", self.steps.len(), self.workspace_bytes)?;
        self.scratch.iter().try_for_each(|scratch| write!(f, ", {scratch}"))?;
        writeln!(f)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroups;
        write!(f, "{} {x}×{y}×{z}", self.kernel.name)?;
        for (binding, window) in self.kernel.bindings.iter().zip(&self.windows) {
            write!(f, " {}={}[{}..{}]", binding.name, window.operand, window.start, window.start + window.bytes)?;
        }
        write!(f, "\n   ")?;
        let params = self.kernel.params.iter().zip(&self.params);
        params.into_iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}
