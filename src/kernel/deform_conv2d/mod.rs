//! The kernels of [`ops::deform_conv2d`](crate::ops::deform_conv2d).

mod columns;
mod direct;
mod subgroup;
mod tiled;

pub use columns::*;
pub use direct::*;
pub use subgroup::*;
pub use tiled::*;

/// The tiles, largest first.
pub const TILES: [TileShape; 5] = [TILE_128X128, TILE_128X64, TILE_64X64, TILE_32X64, TILE_32X32];
