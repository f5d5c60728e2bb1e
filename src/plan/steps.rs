//! Plans, their steps, and the memory that the steps share.

use std::fmt;

use crate::error::{Error, Result};
use crate::kernel::shared::texels::TEXELS_PER_ROW;
use crate::kernel::{Kernel, Specialization};

/// The largest number of loop iterations of one invocation, where every entry into a loop counts as one more.
///
/// Mesa's CPU driver up to version 24.3 ends every loop without an error once an invocation has used 65,535 steps, and
/// the results are wrong then. Staying below that costs other devices nothing.
pub(crate) const MAX_LOOP_STEPS: u64 = 60_000;

/// The largest number of steps that a plan may have. A tiny workspace would need so many that recording them would
/// never end; the limit makes that an error.
pub const MAX_STEPS: u64 = 65_536;

/// The dispatches of one call, in order. Each sees the results of those before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The name of the algorithm; empty for an operator that has only one.
    pub algorithm: String,
    /// The dispatches.
    pub steps: Vec<Step>,
    /// The number of steps at the beginning that read only the weight. Their results can be kept while the weight stays
    /// the same.
    pub weight_steps: usize,
    /// The bytes of workspace that the steps share.
    pub workspace_bytes: u64,
    /// The textures and buffers, other than the workspace, that steps write and later steps read.
    pub scratch: Vec<Scratch>,
    /// What made the plan slower than it could be: a limit that ruled out an algorithm, or that cut the work into many
    /// more steps.
    pub notes: Vec<String>,
}

/// A texture or buffer that steps write and later steps read. A larger one serves, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scratch {
    /// The name by which windows refer to it.
    pub name: &'static str,
    /// The kind and the size.
    pub size: Size,
}

/// The kind and the size of a [`Scratch`].
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
    pub(crate) kernel: &'static Kernel,
    /// The choice of one of the kernel's texts.
    pub(crate) specialization: Specialization,
    /// The words of its uniform.
    pub(crate) params: Vec<u32>,
    /// The windows for the kernel's bindings, in their order.
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

/// The operands that a call may lack. The binding of one that it lacks gets a window over another operand, and is not
/// read.
const OPTIONAL: [&str; 3] = ["offset", "mask", "bias"];

/// Bytes of an f32 element.
pub(crate) const F32_BYTES: u64 = 4;

impl Plan {
    /// Adds a step.
    ///
    /// # Errors
    /// Returns [`Error::TooManySteps`] if the plan already has [`MAX_STEPS`].
    pub(crate) fn push(&mut self, step: Step) -> Result<()> {
        self.steps.push(step);
        let count = self.steps.len() as u64;
        if count > MAX_STEPS { Err(Error::TooManySteps { steps: count, limit: MAX_STEPS }) } else { Ok(()) }
    }

    /// Returns the device memory that the call needs beside its operands: the scratch, and the workspace if there is
    /// one.
    pub fn memory(&self) -> impl Iterator<Item = Scratch> {
        let workspace = Scratch { name: WORKSPACE, size: Size::Bytes(self.workspace_bytes) };
        self.scratch.iter().copied().chain((self.workspace_bytes > 0).then_some(workspace))
    }

    /// Returns the bytes of that memory.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory().map(|scratch| scratch.bytes()).sum()
    }
}

/// Bytes of an `rgba32float` texel.
pub(crate) const TEXEL_BYTES: u64 = 16;

impl Size {
    /// Returns the number of bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Texels([width, height]) => width * height * TEXEL_BYTES,
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Returns the least size that serves for both. Scratch of one name is either textures or buffers.
    pub(crate) fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Texels(a), Self::Texels(b)) => Self::Texels([a[0].max(b[0]), a[1].max(b[1])]),
            (Self::Bytes(a), Self::Bytes(b)) => Self::Bytes(a.max(b)),
            _ => unreachable!("a kind of scratch is either textures or buffers"),
        }
    }

    /// Returns the size of a texture that is one long row of texels, in the layout of `shaders/shared/texels.wgsl`.
    pub(crate) fn long_row(texels: u64) -> Self {
        Self::Texels([texels.min(TEXELS_PER_ROW), texels.div_ceil(TEXELS_PER_ROW)])
    }
}

const _: () = assert!(TEXELS_PER_ROW <= 8192, "WebGPU's default limits allow no longer row");

impl Scratch {
    /// Returns its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.size.bytes()
    }

    /// Returns the number of texels that take as many bytes.
    pub(crate) fn texels(&self) -> u64 {
        self.bytes() / TEXEL_BYTES
    }

    /// Returns a window over the whole resource.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { operand: self.name, start: 0, bytes: self.bytes() }
    }
}

impl Step {
    /// Returns the name of the kernel: the path of its shader below `shaders/`, and a variant if it has any. The step's
    /// debug marker has the same name.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        self.kernel.name
    }

    /// Returns the invocations of the grid, idle ones included.
    #[must_use]
    pub fn invocations(&self) -> u64 {
        self.workgroups.iter().map(|&count| u64::from(count)).product::<u64>() * self.kernel.workgroup_size
    }

    /// Returns whether the step writes an operand or scratch of this name.
    pub(crate) fn writes(&self, operand: &str) -> bool {
        self.accesses().any(|(writes, accessed)| writes && accessed == operand)
    }

    /// Returns the operands and scratch that the step binds, and whether it writes each.
    pub(crate) fn accesses(&self) -> impl Iterator<Item = (bool, &'static str)> {
        let bindings = self.kernel.bindings.iter().zip(&self.windows);
        bindings.map(|(binding, window)| (binding.access.writes(), window.operand))
    }

    /// Returns a parameter of the kernel, or `None` if the kernel has none of that name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<u32> {
        let at = self.kernel.params.iter().position(|param| *param == name)?;
        self.params.get(at).copied()
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
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroups;
        write!(f, "{} {x}×{y}×{z}", self.kernel.name)?;
        let is_read = |name: &str, operand| name == operand || !OPTIONAL.contains(&name);
        let bindings = self.kernel.bindings.iter().zip(&self.windows);
        for (binding, window) in bindings.filter(|(binding, window)| is_read(binding.name, window.operand)) {
            write!(f, " {}={}[{}..{}]", binding.name, window.operand, window.start, window.start + window.bytes)?;
        }
        write!(f, "\n   ")?;
        let params = self.kernel.params.iter().zip(&self.params);
        params.into_iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}
