//! A model of the time that the tiles of the fused product take on a GPU, by which `Auto` chooses a tile, splits, and
//! whether to pack the input.
//!
//! A workgroup works through blocks: it loads the samples and the weights of 16 channels of a tap, then multiplies. A
//! block takes the longest of four times: its instructions, on a part of a multiprocessor (*SIMD*) that several waves
//! share; its reads of workgroup memory, which the SIMDs of a multiprocessor share; its loads from the L2 cache, which
//! they share too; and one wave alone, which waits for its loads. A call takes as many rounds of all blocks as the
//! multiprocessors need for all workgroups. It takes no less time than the memory needs for the operands. Each step takes
//! time to launch. Packing adds a step, and the way of the input to memory; splits add a step, and the partial sums' way to
//! memory and back.
//!
//! The instructions are counts: of Mesa 26.1.6's compilers, of the kernels of 2026-11-30 (docs/notebook.md). The other
//! numbers are the vendors', or guesses where a comment says so. No GPU has confirmed the model yet, so its errors are
//! unknown; `tune` measures instead.

use std::time::Duration;

use crate::kernel::forward::fused_tiled::TILE_K;
use crate::ops::convolution::algorithm::{Algorithm, Tile};
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::layout::Layout;
use crate::plan::{F32_BYTES, GpuClass};

/// The largest number of splits.
const MAX_SPLITS: u32 = 16;

/// The largest number of bytes of the partial sums of an image: half of the default workspace.
const MOST_PARTIAL_BYTES: u64 = 32 << 20;

/// The relative error below which the model does not prefer one choice to another.
const ERROR: f64 = 0.05;

/// The time in microseconds that a step takes to launch: a guess.
const STEP_US: f64 = 3.0;

/// Bytes that a multiprocessor gets from the L2 cache in a cycle. An H100 is said to reach so many.
const L2_BYTES_PER_CYCLE: f64 = 24.0;

/// Loads from the L2 cache for each sample. Of its four corners, most lie in lines that a neighbour has loaded. The
/// number is a guess.
const L2_LOADS_PER_SAMPLE: f64 = 1.5;

/// What the model knows of a class of GPUs.
struct Gpu {
    /// The tiles that suit it.
    tiles: &'static [Tile],
    multiprocessors: u64,
    simds: u64,
    /// Lanes of a wave.
    lanes: u64,
    clock_ghz: f64,
    /// Waves whose registers a SIMD holds, with 8×8 sums an invocation and with 4×4.
    waves: [u64; 2],
    /// Bytes of workgroup memory of a multiprocessor, and how many it reads in a cycle.
    shared_bytes: u64,
    shared_bytes_per_cycle: f64,
    /// Cycles from a load to its value.
    latency: f64,
    memory_gb_per_second: f64,
    cycles: &'static Cycles,
}

/// Cycles of a SIMD for one multiply-add of a wave, in the order of [`Tile::ALL`].
struct Cycles {
    tiled: [f64; 5],
    packed: [f64; 5],
}

/// RADV for navi31. A wave of 64 takes two cycles for an instruction, and 1.5 for a multiply-add, of which some are issued
/// in pairs.
const RDNA3: Cycles = Cycles { tiled: [1.90, 1.93, 2.25, 2.98, 3.02], packed: [1.73, 1.76, 1.92, 2.29, 2.33] };
/// NVK for a GA102 without robust buffer access, in the place of NVIDIA's own compiler.
const AMPERE: Cycles = Cycles { tiled: [1.70, 1.75, 2.02, 2.57, 2.89], packed: [1.53, 1.57, 1.67, 1.87, 1.91] };
/// ANV for an Arc A770.
const DG2: Cycles = Cycles { tiled: [2.00, 2.06, 2.31, 3.23, 3.29], packed: [1.80, 1.80, 1.90, 2.49, 2.56] };
/// ANV for Lunar Lake.
const LNL: Cycles = Cycles { tiled: [1.78, 1.80, 2.13, 2.66, 2.71], packed: [1.59, 1.65, 1.77, 1.99, 2.04] };

/// The tiles with 4×4 sums an invocation, for GPUs whose compilers are not known to hold 8×8 in registers.
const SMALL: &[Tile] = &[Tile::M32N64, Tile::M32N32];

const NAVI31: Gpu = Gpu {
    tiles: &Tile::ALL,
    multiprocessors: 96,
    simds: 2,
    lanes: 64,
    clock_ghz: 2.5,
    waves: [6, 10],
    shared_bytes: 64 << 10,
    shared_bytes_per_cycle: 128.0,
    latency: 500.0,
    memory_gb_per_second: 960.0,
    cycles: &RDNA3,
};

const H100: Gpu = Gpu {
    tiles: &Tile::ALL,
    multiprocessors: 132,
    simds: 4,
    lanes: 32,
    clock_ghz: 1.755,
    waves: [4, 9],
    shared_bytes: 228 << 10,
    // Lanes that read the same address share the read.
    shared_bytes_per_cycle: 213.0,
    latency: 300.0,
    memory_gb_per_second: 3350.0,
    cycles: &AMPERE,
};

const A770: Gpu = Gpu {
    tiles: &Tile::ALL,
    multiprocessors: 32,
    simds: 16,
    lanes: 8,
    clock_ghz: 2.1,
    waves: [8, 8],
    shared_bytes: 128 << 10,
    shared_bytes_per_cycle: 128.0,
    latency: 500.0,
    memory_gb_per_second: 560.0,
    cycles: &DG2,
};

/// A GPU of the middle, with 4×4 sums an invocation.
const UNKNOWN: Gpu = Gpu {
    tiles: SMALL,
    multiprocessors: 8,
    simds: 4,
    lanes: 32,
    clock_ghz: 1.0,
    waves: [4, 8],
    shared_bytes: 32 << 10,
    shared_bytes_per_cycle: 128.0,
    latency: 400.0,
    memory_gb_per_second: 60.0,
    cycles: &AMPERE,
};

const fn gpu(class: GpuClass) -> Gpu {
    match class {
        GpuClass::Navi31 => NAVI31,
        GpuClass::AmdDiscrete => Gpu { multiprocessors: 36, memory_gb_per_second: 400.0, ..NAVI31 },
        GpuClass::AmdIntegrated => Gpu { multiprocessors: 12, memory_gb_per_second: 90.0, ..NAVI31 },
        GpuClass::H100 => H100,
        GpuClass::Nvidia => {
            Gpu { multiprocessors: 46, clock_ghz: 1.7, shared_bytes: 100 << 10, memory_gb_per_second: 450.0, ..H100 }
        }
        GpuClass::IntelDiscrete => A770,
        GpuClass::IntelIntegrated => Gpu {
            multiprocessors: 8,
            simds: 8,
            lanes: 16,
            clock_ghz: 2.0,
            waves: [4, 8],
            memory_gb_per_second: 120.0,
            cycles: &LNL,
            ..A770
        },
        GpuClass::M2 => Gpu { multiprocessors: 10, clock_ghz: 1.4, memory_gb_per_second: 100.0, ..UNKNOWN },
        GpuClass::UnknownDiscrete => Gpu {
            tiles: &[Tile::M64N64, Tile::M32N64, Tile::M32N32],
            multiprocessors: 32,
            clock_ghz: 1.5,
            shared_bytes: 64 << 10,
            memory_gb_per_second: 300.0,
            ..UNKNOWN
        },
        GpuClass::Unknown => UNKNOWN,
    }
}

impl Gpu {
    /// Returns the microseconds of a call by an algorithm that has tiles.
    fn estimate(&self, g: &Geometry, algorithm: Algorithm) -> Option<f64> {
        let (tile, splits, packed) = parts(algorithm)?;
        let splits = u64::from(splits.max(1));
        let variant = tile.variant();
        let layout = Layout::new(g, false);
        let (rows, columns) = (g.out_channels_per_group() as u64, (g.batch * g.out_pixels()) as u64);
        let tiles = g.groups as u64 * rows.div_ceil(variant.tile_m) * columns.div_ceil(variant.tile_n);
        let blocks = layout.segments_per_group * g.taps() as u64 * layout.segment_channels.div_ceil(TILE_K);

        let invocations = variant.kernel.workgroup_size;
        let sums = variant.tile_m * variant.tile_n / invocations;
        let waves_per_workgroup = invocations.div_ceil(self.lanes);
        let shared_bytes = F32_BYTES * TILE_K * (variant.tile_m + variant.tile_n);
        let registers = self.waves[usize::from(sums < 64)] * self.simds;
        let resident = (self.shared_bytes / shared_bytes * waves_per_workgroup)
            .clamp(waves_per_workgroup, registers.max(waves_per_workgroup));
        let waves = tiles * splits * waves_per_workgroup;
        let all_simds = self.multiprocessors * self.simds;
        // The waves of the busiest SIMD.
        let busy = waves.min(self.multiprocessors * resident).div_ceil(all_simds).max(1);
        let rounds = waves.div_ceil(all_simds * busy);

        let index = Tile::ALL.iter().position(|&other| other == tile).unwrap_or_default();
        let cycles = if packed { self.cycles.packed } else { self.cycles.tiled };
        let issue = cycles[index] * (sums * TILE_K) as f64;
        // An invocation reads both operands of its sums once for each channel.
        let side = 2.0 * (sums as f64).sqrt();
        let reads = side * (F32_BYTES * TILE_K * self.lanes) as f64 / self.shared_bytes_per_cycle;
        let loads = (F32_BYTES * TILE_K) as f64 * (variant.tile_m as f64 + L2_LOADS_PER_SAMPLE * variant.tile_n as f64)
            / L2_BYTES_PER_CYCLE
            / waves_per_workgroup as f64;
        let block = (busy as f64 * issue).max((busy * self.simds) as f64 * reads.max(loads)).max(issue + self.latency);
        let product = (rounds * blocks.div_ceil(splits)) as f64 * block / (1e3 * self.clock_ghz);

        let memory = |bytes: f64| bytes / (1e3 * self.memory_gb_per_second);
        let output = (rows * g.groups as u64 * columns * F32_BYTES) as f64;
        let input = (F32_BYTES * (g.batch * g.in_channels * g.in_pixels()) as u64) as f64;
        let operands = input + (F32_BYTES * g.offset_elements() as u64) as f64;
        let packing = if packed { STEP_US + memory(2.0 * input) } else { 0.0 };
        let partial = if splits > 1 { STEP_US + memory(2.0 * splits as f64 * output) } else { 0.0 };
        Some(packing + STEP_US + product.max(memory(operands + output)) + partial)
    }
}

/// Returns the algorithm of the shortest estimate: a tile, splits, and whether the input is packed. Of estimates that
/// differ by less than [`ERROR`] it takes the one with the fewest splits.
pub(super) fn fastest(g: &Geometry, class: GpuClass) -> Algorithm {
    let gpu = gpu(class);
    let output = g.output_shape().into_iter().product::<usize>() as u64 * F32_BYTES / (g.batch as u64).max(1);
    let most = u32::try_from(MOST_PARTIAL_BYTES / output.max(1)).unwrap_or(MAX_SPLITS).clamp(1, MAX_SPLITS);
    let choices = (1..=most).flat_map(|splits| gpu.tiles.iter().flat_map(move |tile| tile.algorithms(splits)));
    let timed: Vec<_> = choices.filter_map(|algorithm| Some((algorithm, gpu.estimate(g, algorithm)?))).collect();
    let shortest = timed.iter().fold(f64::INFINITY, |shortest, (_, time)| shortest.min(*time));
    let good = timed.into_iter().filter(|(_, time)| *time <= (1.0 + ERROR) * shortest);
    let splits = |algorithm: Algorithm| parts(algorithm).map(|(_, splits, _)| splits);
    let best = good.min_by(|(a, s), (b, t)| splits(*a).cmp(&splits(*b)).then(s.total_cmp(t)));
    best.map_or(Algorithm::FusedTiled { tile: Tile::M32N32, splits: 1 }, |(algorithm, _)| algorithm)
}

/// Returns the tile and the splits of an algorithm that has them, and whether it packs the input.
fn parts(algorithm: Algorithm) -> Option<(Tile, u32, bool)> {
    match algorithm {
        Algorithm::FusedTiled { tile, splits } => Some((tile, splits, false)),
        Algorithm::FusedPacked { tile, splits } => Some((tile, splits, true)),
        _ => None,
    }
}

/// Returns the time that the model expects a call to take on a GPU of a class. It knows no algorithm but the tiles of
/// the fused product.
///
/// No GPU has confirmed the model yet.
#[must_use]
pub fn estimate(geometry: &Geometry, class: GpuClass, algorithm: Algorithm) -> Option<Duration> {
    let microseconds = gpu(class).estimate(geometry, algorithm)?;
    Some(Duration::from_secs_f64(1e-6 * microseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::convolution::operands::Operands;
    use crate::ops::convolution::options::Options;

    /// A layer with 3×3 taps and as many output channels as input channels.
    fn square(channels: usize, size: usize) -> Geometry {
        let shapes = Operands {
            input: &[1, channels, size, size][..],
            offset: Some(&[1, 18, size, size][..]),
            weight: &[channels, channels, 3, 3][..],
            mask: None,
            bias: None,
        };
        Geometry::new(shapes, &Options { padding: [1, 1], ..Options::default() }).expect("the layer is possible")
    }

    #[test]
    fn a_layer_takes_the_instructions_of_its_blocks() {
        // 256 workgroups of two waves are one wave for each of 528 SIMDs. A wave takes 36 blocks one after the other, each
        // of 1,024 multiply-adds an invocation, and waits for its loads: 36 · (2.02 · 1024 + 300) cycles.
        let of = |size, splits, packed: bool| {
            let algorithm = Tile::M64N64.algorithms(splits)[usize::from(packed)];
            gpu(GpuClass::H100).estimate(&square(64, size), algorithm).expect("a tile has an estimate")
        };
        let time = of(128, 1, false);
        assert!((time - STEP_US - 48.6).abs() < 0.1, "{time}");
        // Four times the pixels are four waves a SIMD, less some at the end, and none waits.
        let time = of(256, 1, false);
        assert!((time - STEP_US - 4.0 * 36.0 * 2.02 * 1.024 / 1.755).abs() < 0.1, "{time}");
        // Two splits of 18 blocks on twice as many waves, and the partial sums' way to memory and back.
        let time = of(128, 2, false);
        let partial = STEP_US + 4.0 * 64.0 * 128.0 * 128.0 * 4.0 / 3.35e6;
        assert!((time - STEP_US - 2.0 * 18.0 * 2.02 * 1.024 / 1.755 - partial).abs() < 0.1, "{time}");
        // A packed input has fewer instructions, and goes to memory and back once.
        let time = of(256, 1, true);
        let packing = STEP_US + 2.0 * 64.0 * 256.0 * 256.0 * 4.0 / 3.35e6;
        assert!((time - STEP_US - 4.0 * 36.0 * 1.67 * 1.024 / 1.755 - packing).abs() < 0.1, "{time}");
    }

    fn fastest_parts(g: &Geometry, class: GpuClass) -> (Tile, u32, bool) {
        parts(fastest(g, class)).expect("the fastest has a tile")
    }

    #[test]
    fn small_layers_are_split_and_large_ones_are_not() {
        for class in GpuClass::ALL.into_iter().filter(|class| *class != GpuClass::Unknown) {
            assert!(fastest_parts(&square(512, 8), class).1 > 1, "{class}");
            assert_eq!(fastest_parts(&square(256, 256), class).1, 1, "{class}");
        }
    }

    #[test]
    fn large_layers_are_packed_and_small_ones_are_not() {
        for class in GpuClass::ALL {
            assert!(fastest_parts(&square(256, 256), class).2, "{class}");
            assert!(!fastest_parts(&square(16, 8), class).2, "{class}");
        }
    }

    #[test]
    fn partial_sums_are_few() {
        for class in GpuClass::ALL {
            for (channels, size) in [(64, 360), (128, 128), (512, 64), (2048, 16)] {
                let g = square(channels, size);
                let splits = fastest_parts(&g, class).1 as usize;
                assert!(splits == 1 || 4 * splits * channels * size * size <= 32 << 20, "{g} on {class}: {splits}");
            }
        }
    }

    #[test]
    fn few_output_channels_take_low_tiles() {
        let tile = |channels, class| fastest_parts(&square(channels, 256), class).0;
        assert_eq!(tile(32, GpuClass::H100).variant().tile_m, 32);
        assert_eq!(tile(256, GpuClass::H100), Tile::M128N128);
        assert_eq!(tile(256, GpuClass::M2).variant().tile_m, 32);
    }

    #[test]
    fn only_tiles_have_estimates() {
        let of = |algorithm| estimate(&square(64, 128), GpuClass::H100, algorithm);
        assert_eq!(of(Algorithm::Direct), None);
        let times =
            Tile::M64N64.algorithms(1).map(|algorithm| of(algorithm).expect("a tile has an estimate").as_micros());
        assert_eq!(times, [51, 49]);
    }
}
