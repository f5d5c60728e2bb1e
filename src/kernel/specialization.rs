//! How a step specializes its kernel's text: by how operands are stored, and by where taps lie.

/// How the elements of a call's operands lie in their buffers. Kernels compute in f32 in every case, and call `read_input(at)` or
/// `write_output(at, value)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Storage {
    /// As f32.
    #[default]
    F32,
    /// As f16, on devices with WebGPU's `shader-f16`.
    F16,
    /// As f16, two to a u32 word, on any device that WebGPU runs on.
    PackedF16,
}

impl Storage {
    /// Bytes of an element.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::PackedF16 => 2,
        }
    }

    /// The shader file that reads and writes elements.
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
pub enum Sampling {
    /// Each where the offset moves it.
    #[default]
    Deformed,
    /// On the regular grid: there is no offset, and a sample is one pixel.
    Regular,
}

/// Which of a kernel's texts a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Specialization {
    /// How the operands that it reads are stored.
    pub operands: Storage,
    /// How the output that it writes is stored.
    pub output: Storage,
    /// Where its taps lie. A kernel that has no taps has one text for both.
    pub sampling: Sampling,
}

impl From<Storage> for Specialization {
    /// Operands and output stored alike.
    fn from(storage: Storage) -> Self {
        Self { operands: storage, output: storage, sampling: Sampling::default() }
    }
}
