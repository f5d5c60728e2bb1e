//! The table by which `Auto` chooses an algorithm, from the kind of device and the size of weight groups.

use super::model;
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
    /// The algorithm of the shortest estimate (model.rs), then those of the same tile that take less workspace: without
    /// packing the input, and without splits.
    Tiled,
}

use Candidate::{Fixed, Tiled};
use DeviceKind::{Cpu, DiscreteGpu, IntegratedGpu, Other};

/// The table. The first row that matches applies. The rows for CPUs are measured on lavapipe (BENCHMARKS.md). Those for
/// GPUs are not measured yet; they are reasoned.
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
            Fixed(Algorithm::FusedTiled { tile: Tile::M64N64, splits: 1 }),
            Fixed(Algorithm::Columns),
        ],
    },
    Rule {
        devices: &[DiscreteGpu, IntegratedGpu, Other],
        groups: Groups::Small(4),
        candidates: &[Fixed(Algorithm::Depthwise), Fixed(Algorithm::Direct), Fixed(Algorithm::Columns)],
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
        devices: &[DiscreteGpu, IntegratedGpu, Other],
        groups: Groups::Any,
        candidates: &[Tiled, Fixed(Algorithm::Columns)],
    },
];

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
    let algorithms = candidates.iter().flat_map(|candidate| match candidate {
        Fixed(algorithm) => vec![*algorithm],
        Tiled => {
            let fastest = model::fastest(geometry, limits.class);
            let mut algorithms = vec![fastest];
            if let Algorithm::FusedTiled { tile, splits } | Algorithm::FusedPacked { tile, splits } = fastest {
                algorithms.extend([splits, 1].map(|splits| Algorithm::FusedTiled { tile, splits }));
            }
            algorithms.dedup();
            algorithms
        }
    });
    algorithms.collect()
}
