//! The vocabulary between operators and the engine: an operator turns a geometry and a device's limits into a [`Plan`], the
//! engine turns any plan into dispatches. Nothing here needs a device.

use std::fmt;

use crate::kernel::{Kernel, Params, Specialization, Storage};
use crate::{Error, Result};

/// The facts of a device that a plan may depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceLimits {
    /// The most bytes one storage binding may cover (`max_storage_buffer_binding_size`, at most `max_buffer_size`).
    pub max_binding_bytes: u64,
    /// What a storage binding's offset must be a multiple of (`min_storage_buffer_offset_alignment`).
    pub binding_alignment: u64,
    /// The most workgroups along one axis of a dispatch (`max_compute_workgroups_per_dimension`).
    pub max_workgroups_per_axis: u64,
    /// The most texels along one axis of a 2-D texture (`max_texture_dimension_2d`).
    pub max_texture_axis: u64,
    /// Lanes of every subgroup, where the device has subgroups of one size only and its `SUBGROUP` feature is on; else 0.
    pub subgroup_size: u64,
    /// What kind of device it is: plans are chosen by it.
    pub kind: DeviceKind,
    /// Whether its shaders know f16 (`SHADER_F16`).
    pub f16: bool,
}

/// A kind of device, as far as the choice of an algorithm goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceKind {
    /// A driver that computes on the CPU.
    Cpu,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU with memory of its own.
    DiscreteGpu,
    /// A virtual GPU, or one that does not say.
    #[default]
    Other,
}

impl Default for DeviceLimits {
    /// WebGPU's defaults: what every device has.
    fn default() -> Self {
        Self {
            max_binding_bytes: 128 << 20,
            binding_alignment: 256,
            max_workgroups_per_axis: 65_535,
            max_texture_axis: 8192,
            subgroup_size: 0,
            kind: DeviceKind::Other,
            f16: false,
        }
    }
}

/// The most loop steps one invocation may take, a loop costing its trips plus one at every entry.
///
/// Mesa's CPU driver up to 24.3 ends every loop without a word once an invocation has used 65,535 of them, which yields wrong
/// numbers and no error. Keeping below it costs other devices nothing.
pub const MAX_LOOP_STEPS: u64 = 60_000;

/// The most steps one plan may have, so that a tiny workspace becomes an error instead of an endless recording.
pub const MAX_STEPS: u64 = 65_536;

/// What the device is to do: dispatches in order, each seeing the writes of those before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What the operator calls this way of computing it; empty where it knows only one.
    pub algorithm: String,
    /// The dispatches.
    pub steps: Vec<Step>,
    /// How many of the first steps read nothing but the weight: what they write may be kept while the weight stays as it is.
    pub weight_steps: usize,
    /// The bytes of workspace they share.
    pub workspace_bytes: u64,
    /// What some steps write and later ones read beside the workspace. The operator provides it.
    pub scratch: Vec<Scratch>,
}

/// A texture or buffer of the operator's, by which name windows mean it. A larger one serves as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scratch {
    /// Its name.
    pub name: &'static str,
    /// How much it holds.
    pub size: Size,
}

/// What a [`Scratch`] is, and how much it holds.
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
    /// What is bound to its storage bindings, in the catalogue's order.
    pub windows: Vec<Window>,
    /// The grid.
    pub workgroups: [u32; 3],
}

/// The part of an operand that one binding covers, in bytes from the operand's start; a texture is bound whole, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The operand's name, a scratch's, or [`WORKSPACE`].
    pub operand: &'static str,
    /// The first byte; a multiple of the device's binding alignment.
    pub start: u64,
    /// The number of bytes.
    pub bytes: u64,
}

/// The name under which a plan's windows mean the workspace.
pub const WORKSPACE: &str = "workspace";

/// Bytes of an f32 element.
pub const F32_BYTES: u64 = 4;

impl DeviceLimits {
    /// The most f32 elements that a window may hold wherever it starts: its first byte may have to move down to the alignment.
    /// Indices inside a window are u32 on the device, and stay below 2³¹.
    #[must_use]
    pub fn max_window_elements(&self) -> u64 {
        self.max_operand_elements(Storage::F32)
    }

    /// The same for elements stored as said.
    #[must_use]
    pub fn max_operand_elements(&self, storage: Storage) -> u64 {
        let fitting = self.max_binding_bytes.saturating_sub(self.binding_alignment) / storage.bytes();
        // Less what aligning the start may add.
        fitting.min((1 << 31) - 1 - self.binding_alignment)
    }

    /// Whether a binding, or a texture's axis, can be so long.
    #[must_use]
    pub fn hold(&self, scratch: &Scratch) -> bool {
        match scratch.size {
            Size::Texels(size) => size.into_iter().all(|size| size <= self.max_texture_axis),
            Size::Bytes(bytes) => bytes <= self.max_binding_bytes,
        }
    }

    /// The window over `count` f32 elements of `operand` from element `first`, and where that element lies in it.
    #[must_use]
    pub fn window(&self, operand: &'static str, first: u64, count: u64) -> (Window, u64) {
        self.operand_window(Storage::F32, operand, first, count)
    }

    /// The same for elements stored as said; always whole words, as tensors are.
    #[must_use]
    pub fn operand_window(&self, storage: Storage, operand: &'static str, first: u64, count: u64) -> (Window, u64) {
        let first_byte = first * storage.bytes();
        let start = first_byte - first_byte % self.binding_alignment.max(1);
        let bytes = (first_byte + count * storage.bytes() - start).next_multiple_of(4);
        debug_assert!(bytes <= self.max_binding_bytes, "{operand}: window of {bytes} bytes");
        (Window { operand, start, bytes }, (first_byte - start) / storage.bytes())
    }

    /// A dispatch of at least `workgroups` workgroups.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a parameter that is no u32, and as [`DeviceLimits::fold`].
    pub fn step<P: Params>(
        &self,
        kernel: &'static Kernel,
        specialization: impl Into<Specialization>,
        params: P,
        windows: Vec<Window>,
        workgroups: u64,
    ) -> Result<Step> {
        let words: &[u64] = bytemuck::cast_slice(std::slice::from_ref(&params));
        debug_assert_eq!([words.len(), windows.len()], [kernel.params.len(), kernel.bindings.len()], "{}", kernel.name);
        let narrow = |(name, &value): (&&str, &u64)| {
            u32::try_from(value).map_err(|_| {
                let what = format!("the parameter {name} of {}", kernel.name);
                Error::TooLarge { what, got: value, limit: u32::MAX.into() }
            })
        };
        let params = kernel.params.iter().zip(words).map(narrow).collect::<Result<_>>()?;
        let specialization = kernel.distinct(specialization.into());
        let workgroups = self.fold(kernel, workgroups)?;
        Ok(Step { kernel, specialization, params, windows, workgroups })
    }

    /// `total` workgroups as a grid: one axis where they fit, else folded into two with as few spare ones as can be.
    /// `shaders/shared/grid.wgsl` unfolds it; a kernel ignores the spare workgroups.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where two axes do not hold them: out of reach with WebGPU's limits, whose axes hold 65,535² workgroups.
    pub fn fold(&self, kernel: &Kernel, total: u64) -> Result<[u32; 3]> {
        let limit = self.max_workgroups_per_axis;
        let rows = total.div_ceil(limit.max(1)).max(1);
        if rows > limit {
            return Err(Error::TooLarge { what: format!("the folded grid of {}", kernel.name), got: rows, limit });
        }
        Ok([total.div_ceil(rows) as u32, rows as u32, 1])
    }
}

impl Plan {
    /// The device memory that the call needs beside its operands: workspace and scratch.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.workspace_bytes + self.scratch.iter().map(Scratch::bytes).sum::<u64>()
    }
}

/// Bytes of an `rgba32float` texel.
pub const TEXEL_BYTES: u64 = 16;

impl Scratch {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self.size {
            Size::Texels([width, height]) => width * height * TEXEL_BYTES,
            Size::Bytes(bytes) => bytes,
        }
    }

    /// Texels that as many bytes are.
    pub(crate) fn texels(&self) -> u64 {
        self.bytes() / TEXEL_BYTES
    }

    /// It, bound whole.
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
