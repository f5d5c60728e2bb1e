//! The algorithms and their names.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::kernel::forward::fused_tiled;

/// The algorithm that computes the output. All give the same result up to f32 rounding.
///
/// `Display` and `FromStr` use the names `auto`, `columns`, `direct`, `depthwise`, `fused_subgroup`, and
/// `fused_tiled_64x64` or `fused_packed_64x64/4`, where the numbers are the tile and the splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// [`choice`](super::choice) chooses the algorithm.
    #[default]
    Auto,
    /// Samples into a column buffer, then multiplies: im2col and matmul, in chunks that fit the workspace.
    Columns,
    /// Computes outputs one by one, without a product and without a workspace: for weight groups of few channels.
    Direct,
    /// Computes four channels at a time from packed operands, without a product: for depthwise convolutions, with any
    /// depth multiplier up to 8, and for weight groups of 2 to 4 input channels and at most 8 output channels. Offset
    /// groups must have whole weight groups, and of 3 channels exactly one.
    Depthwise,
    /// Samples straight into the product. Both operands are packed into textures, and a subgroup of 8 lanes shares the
    /// weights: for CPU drivers (lavapipe, if the machine's vectors hold 8 lanes).
    FusedSubgroup,
    /// Samples straight into the tiles of a product, in workgroup memory and registers: for GPUs.
    FusedTiled {
        /// The tile.
        tile: Tile,
        /// The number of parts into which each sum is split. Workgroups compute them side by side, and a last step adds
        /// them in order. 1 splits nothing.
        splits: u32,
    },
    /// Samples into such tiles from the packed input, which a first step writes: four channels side by side, with zeros
    /// around each image. A sample then takes a quarter of the loads.
    FusedPacked {
        /// The tile.
        tile: Tile,
        /// The number of parts into which each sum is split.
        splits: u32,
    },
}

/// A tile of the fused product: output channels × output pixels of one workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tile {
    /// 128×128, 8×8 per invocation: for many output channels on a large GPU.
    M128N128,
    /// 128×64, 8×8 per invocation.
    M128N64,
    /// 64×64, 8×8 per invocation.
    M64N64,
    /// 32×64, 4×4 per invocation: for GPUs with few registers.
    M32N64,
    /// 32×32, 4×4 per invocation.
    M32N32,
}

impl Tile {
    /// All tiles, the largest first.
    pub const ALL: [Self; 5] = [Self::M128N128, Self::M128N64, Self::M64N64, Self::M32N64, Self::M32N32];

    /// Returns the two algorithms that compute such tiles: from the input, and from the packed input.
    #[must_use]
    pub const fn algorithms(self, splits: u32) -> [Algorithm; 2] {
        [Algorithm::FusedTiled { tile: self, splits }, Algorithm::FusedPacked { tile: self, splits }]
    }

    /// Returns the kernel that computes such tiles from the input, and their sizes.
    pub(crate) const fn variant(self) -> &'static fused_tiled::Variant {
        match self {
            Self::M128N128 => &fused_tiled::M128N128,
            Self::M128N64 => &fused_tiled::M128N64,
            Self::M64N64 => &fused_tiled::M64N64,
            Self::M32N64 => &fused_tiled::M32N64,
            Self::M32N32 => &fused_tiled::M32N32,
        }
    }

    /// Returns the kernel that computes such tiles from the packed input.
    pub(crate) const fn packed_variant(self) -> &'static fused_tiled::Variant {
        match self {
            Self::M128N128 => &fused_tiled::M128N128_PACKED,
            Self::M128N64 => &fused_tiled::M128N64_PACKED,
            Self::M64N64 => &fused_tiled::M64N64_PACKED,
            Self::M32N64 => &fused_tiled::M32N64_PACKED,
            Self::M32N32 => &fused_tiled::M32N32_PACKED,
        }
    }
}

impl Algorithm {
    /// Makes the error for a device or a geometry that this algorithm does not suit.
    pub(super) fn unsuitable(self, reason: String) -> Error {
        Error::Unsuitable { algorithm: self.to_string(), reason }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Columns => f.write_str("columns"),
            Self::Direct => f.write_str("direct"),
            Self::Depthwise => f.write_str("depthwise"),
            Self::FusedSubgroup => f.write_str("fused_subgroup"),
            Self::FusedTiled { tile, splits } => write!(f, "fused_tiled_{}", Parts(*tile, *splits)),
            Self::FusedPacked { tile, splits } => write!(f, "fused_packed_{}", Parts(*tile, *splits)),
        }
    }
}

/// Writes a tile, and the splits if there are several.
struct Parts(Tile, u32);

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tile, splits) = self;
        write!(f, "{}x{}", tile.variant().tile_m, tile.variant().tile_n)?;
        if *splits > 1 { write!(f, "/{splits}") } else { Ok(()) }
    }
}

/// The error for a text that names no algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} names no algorithm: expected auto, columns, direct, depthwise, fused_subgroup, or a tile and its splits such as {example}"
)]
pub struct ParseAlgorithmError {
    text: String,
    example: Algorithm,
}

impl FromStr for Algorithm {
    type Err = ParseAlgorithmError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, splits) = match text.split_once('/') {
            Some((name, splits)) => (name, splits.parse().ok()),
            None => (text, Some(1)),
        };
        let tiled = Tile::ALL.map(|tile| tile.algorithms(1));
        let others = [Self::Auto, Self::Columns, Self::Direct, Self::Depthwise, Self::FusedSubgroup];
        let found = tiled.into_iter().flatten().chain(others).find(|algorithm| algorithm.to_string() == name);
        match (found, splits) {
            (Some(Self::FusedTiled { tile, .. }), Some(splits @ 1..)) => Ok(Self::FusedTiled { tile, splits }),
            (Some(Self::FusedPacked { tile, .. }), Some(splits @ 1..)) => Ok(Self::FusedPacked { tile, splits }),
            (Some(algorithm), _) if name == text => Ok(algorithm),
            _ => {
                let example = Self::FusedTiled { tile: Tile::M64N64, splits: 4 };
                Err(ParseAlgorithmError { text: text.to_owned(), example })
            }
        }
    }
}
