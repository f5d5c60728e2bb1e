//! The algorithms by name.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::kernel::forward::fused_tiled;

/// How the output is computed. The result is the same up to f32 rounding.
///
/// Its text, both ways: `auto`, `columns`, `direct`, `depthwise`, `fused_subgroup`, and `fused_tiled_64x64` or `fused_tiled_64x64/4`, a tile and
/// the number of splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// The plan decides: [`choice`](super::choice).
    #[default]
    Auto,
    /// Sample into a column buffer, then multiply: im2col and matmul, in chunks that fit the workspace.
    Columns,
    /// Outputs one by one, without a product and without memory: for weight groups of few channels.
    Direct,
    /// Four channels at a time, from textures: for depthwise convolutions, whose groups are one channel in and one out.
    Depthwise,
    /// Sample straight into the product, both operands packed into textures, weights passed round a subgroup of 8 lanes: for CPU
    /// drivers (lavapipe, where the machine's vectors hold 8 lanes).
    FusedSubgroup,
    /// Sample straight into the tiles of a product, in workgroup memory and registers: for GPUs.
    FusedTiled {
        /// The tile.
        tile: Tile,
        /// Parts of the sum that workgroups compute side by side; a last step adds them in order. 1 for none.
        splits: u32,
    },
}

/// A tile of the fused product: output channels × output pixels of one workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tile {
    /// 128×128, 8×8 an invocation: many output channels on a large GPU.
    M128N128,
    /// 128×64, 8×8 an invocation.
    M128N64,
    /// 64×64, 8×8 an invocation.
    M64N64,
    /// 32×64, 4×4 an invocation: GPUs with few registers.
    M32N64,
    /// 32×32, 4×4 an invocation.
    M32N32,
}

impl Tile {
    /// Every tile, largest first.
    pub const ALL: [Self; 5] = [Self::M128N128, Self::M128N64, Self::M64N64, Self::M32N64, Self::M32N32];

    /// The kernel that computes such tiles, and their sizes.
    #[must_use]
    pub const fn variant(self) -> &'static fused_tiled::Variant {
        match self {
            Self::M128N128 => &fused_tiled::M128N128,
            Self::M128N64 => &fused_tiled::M128N64,
            Self::M64N64 => &fused_tiled::M64N64,
            Self::M32N64 => &fused_tiled::M32N64,
            Self::M32N32 => &fused_tiled::M32N32,
        }
    }
}

impl Algorithm {
    /// The error where the device or the geometry cannot have this algorithm.
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
            Self::FusedTiled { tile, splits } => {
                write!(f, "fused_tiled_{}x{}", tile.variant().tile_m, tile.variant().tile_n)?;
                if *splits > 1 { write!(f, "/{splits}") } else { Ok(()) }
            }
        }
    }
}

/// A text that names no algorithm.
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
        let tiled = Tile::ALL.map(|tile| Self::FusedTiled { tile, splits: 1 });
        let named =
            [Self::Auto, Self::Columns, Self::Direct, Self::Depthwise, Self::FusedSubgroup].into_iter().chain(tiled);
        let found = named.into_iter().find(|algorithm| algorithm.to_string() == name);
        match (found, splits) {
            (Some(Self::FusedTiled { tile, .. }), Some(splits @ 1..)) => Ok(Self::FusedTiled { tile, splits }),
            (Some(algorithm), _) if name == text => Ok(algorithm),
            _ => {
                let example = Self::FusedTiled { tile: Tile::M64N64, splits: 4 };
                Err(ParseAlgorithmError { text: text.to_owned(), example })
            }
        }
    }
}
