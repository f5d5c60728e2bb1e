//! The measurement. It waits for the device, so it is not available on the web.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::ops::convolution::algorithm::{Algorithm, Tile};
use crate::ops::convolution::forward::choice;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::operator::{Convolution, Task};
use crate::ops::convolution::options::Options;
use crate::plan::DeviceLimits;

/// The number of timed calls of a candidate, after one that compiles and warms up.
const CALLS: usize = 3;
/// A candidate that is this many times slower than the best is not called again.
const HOPELESS: u32 = 2;

/// Measures the algorithms for a call, and returns the fastest. No candidate starts after `time` once one has been
/// measured.
pub(in crate::ops) fn fastest(operator: &Convolution, task: &Task<'_>, time: Duration) -> Result<Algorithm> {
    let geometry = operator.checked_geometry(task)?;
    // The memory of the candidates ends with the measurement, and they push out none of the operator's calls.
    let candidate = operator.with_own_calls();
    let start = Instant::now();
    let mut best: Option<(Duration, Algorithm)> = None;
    let mut failure = None;
    for algorithm in candidates(&geometry, operator.gpu().limits()) {
        if best.is_some() && start.elapsed() >= time {
            break;
        }
        // A slow candidate is measured as slow.
        let task = Task { options: Options { algorithm, refuse_slow: false, ..task.options }, ..*task };
        let call = || {
            let start = Instant::now();
            let _output = candidate.forward(&task)?;
            operator.gpu().wait()?;
            Ok(start.elapsed())
        };
        if let Err(error) = call() {
            failure = Some(error);
            continue;
        }
        for _ in 0..CALLS {
            let took = call()?;
            let least = best.map_or(Duration::MAX, |(least, _)| least);
            if took < least {
                best = Some((took, algorithm));
            } else if took > least.saturating_mul(HOPELESS) {
                break;
            }
        }
    }
    match (best, failure) {
        (Some((_, algorithm)), _) => {
            operator.tuning().insert(operator.gpu(), &geometry, algorithm);
            Ok(algorithm)
        }
        (None, Some(error)) => Err(error),
        (None, None) => Ok(Algorithm::Auto),
    }
}

/// Returns the algorithms in the table's order, followed by all others.
fn candidates(geometry: &Geometry, limits: &DeviceLimits) -> Vec<Algorithm> {
    let tiled = [1, 2, 4, 8].map(|splits| Tile::ALL.map(|tile| tile.algorithms(splits)));
    let mut candidates = choice(geometry, limits);
    let all = [Algorithm::FusedSubgroup, Algorithm::Columns].into_iter().chain(tiled.into_iter().flatten().flatten());
    // Depthwise is a candidate only for calls that it suits, so that its error is never the one reported.
    let depthwise = geometry.has_small_groups().then_some(Algorithm::Depthwise);
    for algorithm in all.chain([Algorithm::Direct]).chain(depthwise) {
        if !candidates.contains(&algorithm) {
            candidates.push(algorithm);
        }
    }
    candidates
}
