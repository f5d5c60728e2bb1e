//! How operands are stored, and the few lines of WGSL that read and write them: kernels compute in f32 and call
//! `read_input(at)` or `write_output(at, value)`, whatever the buffer holds.

use std::fmt::Write as _;

use super::{Access, Binding};

/// How the elements of a call's operands lie in their buffers.
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

    /// The element type of the WGSL array.
    const fn element(self, written: bool) -> &'static str {
        match (self, written) {
            (Self::F32, _) => "f32",
            (Self::F16, _) => "f16",
            (Self::PackedF16, false) => "u32",
            (Self::PackedF16, true) => "atomic<u32>",
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
pub struct Variant {
    /// How the operands that it reads are stored.
    pub operands: Storage,
    /// How the output that it writes is stored.
    pub output: Storage,
    /// Where its taps lie; a kernel that reads no offset has one text for both.
    pub sampling: Sampling,
}

impl From<Storage> for Variant {
    /// Operands and output stored alike.
    fn from(storage: Storage) -> Self {
        Self { operands: storage, output: storage, sampling: Sampling::default() }
    }
}

/// The operand that moves taps, by which a kernel has a text for each [`Sampling`].
const OFFSET: &str = "offset";

const HALF_BITS: &str = include_str!("../../shaders/shared/half_bits.wgsl");

fn reads_offset(bindings: &[Binding]) -> bool {
    bindings.iter().any(|binding| binding.operand && binding.name == OFFSET)
}

/// The variant of a kernel with such bindings that has its own text.
pub(super) fn distinct(bindings: &[Binding], variant: Variant) -> Variant {
    if reads_offset(bindings) { variant } else { Variant { sampling: Sampling::default(), ..variant } }
}

/// `text` with its operands stored as said, and with the functions that access them. A kernel that reads an offset is told by the constant
/// `DEFORMED` whether there is one: a constant, since a CPU driver would run both branches of a condition.
pub(super) fn with_storage(mut text: String, bindings: &[Binding], variant: Variant) -> String {
    let Variant { operands, output, sampling } = variant;
    let (mut used, mut packs) = (false, false);
    if reads_offset(bindings) {
        let deformed = sampling == Sampling::Deformed;
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\nconst DEFORMED = {deformed};");
    }
    for binding in bindings.iter().filter(|binding| binding.operand) {
        let written = binding.access == Access::ReadWrite;
        let storage = if written { output } else { operands };
        let name = binding.name;
        let element = storage.element(written);
        text = text.replace(&format!("> {name}: array<f32>;"), &format!("> {name}: array<{element}>;"));
        // Writing into a String cannot fail.
        let _ = write_access(&mut text, name, storage, written);
        used |= storage == Storage::F16;
        packs |= written && storage == Storage::PackedF16;
    }
    if packs {
        text += HALF_BITS;
    }
    if used { format!("enable f16;\n{text}") } else { text }
}

fn write_access(text: &mut String, name: &str, storage: Storage, written: bool) -> std::fmt::Result {
    let word = if written { format!("atomicLoad(&{name}[at / 2u])") } else { format!("{name}[at / 2u]") };
    let read = match storage {
        Storage::F32 => format!("return {name}[at];"),
        Storage::F16 => format!("return f32({name}[at]);"),
        Storage::PackedF16 => {
            format!("let pair = unpack2x16float({word});\n    return select(pair.x, pair.y, at % 2u == 1u);")
        }
    };
    writeln!(text, "\nfn read_{name}(at: u32) -> f32 {{\n    {read}\n}}")?;
    if written {
        let write = match storage {
            Storage::F32 => format!("{name}[at] = value;"),
            Storage::F16 => format!("{name}[at] = f16(value);"),
            // The other half of the word is another invocation's. Each changes the bits of its own half alone, so the order in
            // which the two do it makes no difference.
            Storage::PackedF16 => format!(
                "let shift = at % 2u * 16u;
    atomicAnd(&{name}[at / 2u], 0xffff0000u >> shift);
    atomicOr(&{name}[at / 2u], half_bits(value) << shift);"
            ),
        };
        writeln!(text, "\nfn write_{name}(at: u32, value: f32) {{\n    {write}\n}}")?;
    }
    Ok(())
}
