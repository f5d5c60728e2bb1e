//! The table by which `Auto` chooses an algorithm, from the kind of device and the size of weight groups.

use crate::ops::convolution::algorithm::{Algorithm, Tile};
use crate::ops::convolution::geometry::Geometry;
use crate::plan::{DeviceKind, DeviceLimits};

/// A row of the table: devices, weight groups, and the candidates for them in order.
struct Rule {
    devices: &'static [DeviceKind],
    groups: Groups,
    candidates: &'static [Candidate],
}

/// A class of weight groups.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Groups {
    /// So few channels that no product is needed, and at most this many input channels.
    Small(usize),
    /// At most this many input channels and this many output channels, which is too few for a product.
    UpTo(usize),
    /// Segments of at most this many input channels. A tile fills each up to 16.
    SegmentsUpTo(usize),
    Any,
}

enum Candidate {
    Fixed(Algorithm),
    /// The first tile that a group's output channels fill well and that gives the device this many workgroups. If there
    /// is none, the last tile, with its sum split so that there are this many workgroups.
    Tiled {
        tiles: &'static [Tile],
        workgroups: u64,
    },
}

use Candidate::{Fixed, Tiled};
use DeviceKind::{Cpu, DiscreteGpu, IntegratedGpu, Other};

/// The table. The first row that matches applies. The rows for CPUs are measured on lavapipe (BENCHMARKS.md). Those for
/// GPUs are not measured yet; they are reasoned: large tiles for devices with many registers, and two workgroups for
/// each of about 128 multiprocessors.
const RULES: &[Rule] = &[
    Rule {
        devices: &[Cpu],
        groups: Groups::Small(2),
        candidates: &[Fixed(Algorithm::Depthwise), Fixed(Algorithm::Direct), Fixed(Algorithm::Columns)],
    },
    Rule {
        devices: &[Cpu],
        groups: Groups::UpTo(4),
        candidates: &[Fixed(Algorithm::FusedSubgroup), Fixed(Algorithm::Direct), Fixed(Algorithm::Columns)],
    },
    Rule {
        devices: &[Cpu],
        groups: Groups::Any,
        candidates: &[
            Fixed(Algorithm::FusedSubgroup),
            Tiled { tiles: &[Tile::M64N64], workgroups: 1 },
            Fixed(Algorithm::Columns),
        ],
    },
    Rule {
        devices: &[DiscreteGpu, IntegratedGpu, Other],
        groups: Groups::UpTo(4),
        candidates: &[Fixed(Algorithm::Direct), Fixed(Algorithm::Columns)],
    },
    Rule {
        devices: &[DiscreteGpu, IntegratedGpu, Other],
        groups: Groups::SegmentsUpTo(4),
        candidates: &[Fixed(Algorithm::Columns)],
    },
    Rule {
        devices: &[DiscreteGpu],
        groups: Groups::Any,
        candidates: &[
            Tiled { tiles: &[Tile::M128N128, Tile::M128N64, Tile::M64N64, Tile::M32N64], workgroups: 256 },
            Fixed(Algorithm::Columns),
        ],
    },
    Rule {
        devices: &[IntegratedGpu, Other],
        groups: Groups::Any,
        candidates: &[Tiled { tiles: &[Tile::M32N64, Tile::M32N32], workgroups: 32 }, Fixed(Algorithm::Columns)],
    },
];

/// The largest number of splits. With more, adding the partial sums costs more than the extra workgroups gain.
const MAX_SPLITS: u64 = 16;

/// Returns the algorithms that `Auto` tries for a geometry on a device. It takes the first that the device and the
/// workspace allow.
#[must_use]
pub fn choice(geometry: &Geometry, limits: &DeviceLimits) -> Vec<Algorithm> {
    let g = geometry;
    let largest = g.channels_per_group().max(g.out_channels_per_group());
    let fits = |rule: &&Rule| {
        rule.devices.contains(&limits.kind)
            && match rule.groups {
                Groups::Small(most) => g.has_small_groups() && g.channels_per_group() <= most,
                Groups::UpTo(most) => largest <= most,
                Groups::SegmentsUpTo(most) => g.segment_channels() <= most,
                Groups::Any => true,
            }
    };
    let candidates = RULES.iter().find(fits).map_or(&[] as &[Candidate], |rule| rule.candidates);
    candidates
        .iter()
        .map(|candidate| match candidate {
            Fixed(algorithm) => *algorithm,
            Tiled { tiles, workgroups } => tiled(geometry, tiles, *workgroups),
        })
        .collect()
}

fn tiled(g: &Geometry, tiles: &[Tile], workgroups: u64) -> Algorithm {
    let rows = g.out_channels_per_group() as u64;
    let columns = (g.batch * g.out_pixels()) as u64;
    let row_tiles = |tile: Tile| rows.div_ceil(tile.variant().tile_m);
    let count = |tile: Tile| row_tiles(tile) * columns.div_ceil(tile.variant().tile_n) * g.groups as u64;
    // At least three quarters of the tiles' rows are output channels.
    let full = |tile: Tile| 4 * rows >= 3 * row_tiles(tile) * tile.variant().tile_m;
    let found = tiles.iter().copied().find(|&tile| full(tile) && count(tile) >= workgroups);
    let tile = found.or(tiles.last().copied()).unwrap_or(Tile::M32N32);
    // An empty batch has no tiles.
    let splits = workgroups.div_ceil(count(tile).max(1)).clamp(1, MAX_SPLITS);
    Algorithm::FusedTiled { tile, splits: splits as u32 }
}
