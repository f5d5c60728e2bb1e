//! The facts about a kernel that its shader file declares.

use std::fmt;

use super::expand::{Expanded, expand};
use super::sources::{Choice, ExpandError};
use super::specialization::{Sampling, Specialization, Storage};

/// One compute kernel: a shader file, or one of its variants, with the entry point `main`.
pub(crate) struct Kernel {
    /// The file's path below `shaders/`, followed by a slash and the variant if there is one. Labels and plans show it.
    pub(crate) name: &'static str,
    /// The file's path below `shaders/`, without the ending.
    pub(crate) file: &'static str,
    /// The variant; empty for a file that has none.
    pub(crate) variant: &'static str,
    /// Invocations in a workgroup; every kernel is one-dimensional.
    pub(crate) workgroup_size: u64,
    /// Whether the kernel uses subgroup operations (`SUBGROUP`).
    pub(crate) subgroups: bool,
    /// Whether its text depends on the [`Sampling`](super::Sampling).
    pub(crate) sampling: bool,
    /// The storage buffers and textures, `@binding(1)` onwards; `@binding(0)` is the uniform `params`.
    pub(crate) bindings: &'static [Binding],
    /// The words of the uniform `params`, in order, each a `u32`.
    pub(crate) params: &'static [&'static str],
    /// The text of every shader file, by its path below `shaders/`.
    pub(super) files: &'static [(&'static str, &'static str)],
}

/// Writes the name. The texts of all shaders would make a plan unreadable.
impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// One storage buffer or texture of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The variable's name in the WGSL.
    pub(crate) name: &'static str,
    /// How the kernel uses it.
    pub(crate) access: Access,
    /// Whether it is an operand of the caller, whose [`Storage`](super::Storage) the caller chooses.
    pub(crate) operand: bool,
}

/// The kind of a binding, and how a kernel uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
    /// `texture_storage_2d<…, read>`
    TextureRead(TexelFormat),
    /// `texture_storage_2d<…, write>`
    TextureWrite(TexelFormat),
    /// `texture_2d<f32>`, in any format that is read as floating-point numbers
    SampledTexture,
}

/// The formats of storage textures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TexelFormat {
    /// `rgba8unorm`
    Rgba8Unorm,
    /// `rgba16float`
    Rgba16Float,
    /// `rgba32float`
    Rgba32Float,
}

/// The parameters of a kernel: a struct whose fields are all u64. Each reaches the device as a u32.
pub(crate) trait Params: bytemuck::Pod {
    /// The names of the words, in order.
    const WORDS: &'static [&'static str];
}

impl Access {
    /// Returns whether the binding is a buffer, of which a window may be bound. A texture is bound whole.
    #[must_use]
    pub(crate) const fn is_buffer(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Returns whether the kernel writes the binding.
    #[must_use]
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::TextureWrite(_))
    }
}

impl Kernel {
    /// Writes the WGSL module of one specialization.
    ///
    /// # Errors
    /// Returns the first malformed directive of the shader file. No file of this crate has one: a test expands them
    /// all.
    pub(crate) fn expand(&self, specialization: impl Into<Specialization>) -> Result<Expanded, ExpandError> {
        let Specialization { operands, output, sampling } = specialization.into();
        let choice = Choice {
            file: self.file,
            variant: self.variant,
            deformed: sampling == Sampling::Deformed,
            operands: operands.file(),
            output: output.file(),
        };
        expand(choice, &|path| {
            #[cfg(deform_shader_folder)]
            if let Some(text) = super::folder::text(path) {
                return Some(text);
            }
            self.files.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
        })
    }

    /// Returns the number of workgroups that hold so many invocations.
    #[must_use]
    pub(crate) const fn workgroups(&self, invocations: u64) -> u64 {
        invocations.div_ceil(self.workgroup_size)
    }

    /// Returns the representative of all specializations that have the same text.
    #[must_use]
    pub(crate) fn distinct(&self, specialization: Specialization) -> Specialization {
        let Specialization { operands, output, sampling } = specialization;
        let has_operands = |written| self.bindings.iter().any(|b| b.operand && b.access.writes() == written);
        Specialization {
            operands: if has_operands(false) { operands } else { Storage::default() },
            output: if has_operands(true) { output } else { Storage::default() },
            sampling: if self.sampling { sampling } else { Sampling::default() },
        }
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kernel {}
