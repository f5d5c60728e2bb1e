//! The specializations of a kernel's text: how operands are stored, and where taps lie.

/// How the elements of a call's operands are stored in their buffers. Every kernel computes in f32 and accesses its
/// operands by functions such as `read_input(at)` and `write_output(at, value)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Storage {
    /// As f32.
    #[default]
    F32,
    /// As f16, on devices with WebGPU's `shader-f16`.
    F16,
    /// As f16, two to a u32 word, on any device that WebGPU runs on.
    PackedF16,
}

impl Storage {
    /// Returns the bytes of one element.
    #[must_use]
    pub(crate) const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::PackedF16 => 2,
        }
    }

    /// Returns the shader file that reads and writes such elements.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::F32 => "shared/stored_f32",
            Self::F16 => "shared/stored_f16",
            Self::PackedF16 => "shared/stored_packed_f16",
        }
    }
}

/// Where the taps of a convolution lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Sampling {
    /// Each tap lies where its offset moves it.
    #[default]
    Deformed,
    /// All taps lie on the regular grid: there is no offset, and a sample is one pixel.
    Regular,
}

/// The choice of one text of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Specialization {
    /// The storage of the operands that the kernel reads.
    pub(crate) operands: Storage,
    /// The storage of the output that the kernel writes.
    pub(crate) output: Storage,
    /// Where the taps lie. A kernel without taps has the same text for both.
    pub(crate) sampling: Sampling,
}

impl From<Storage> for Specialization {
    /// Operands and output have the same storage.
    fn from(storage: Storage) -> Self {
        Self { operands: storage, output: storage, sampling: Sampling::default() }
    }
}
