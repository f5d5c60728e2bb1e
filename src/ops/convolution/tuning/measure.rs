//! Measuring, which waits for the device: not on the web.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::ops::convolution::algorithm::{Algorithm, Tile};
use crate::ops::convolution::forward::choice;
use crate::ops::convolution::geometry::Geometry;
use crate::ops::convolution::operator::{Convolution, Task};
use crate::ops::convolution::options::Options;
use crate::plan::DeviceLimits;

/// Timed calls of a candidate, after one that compiles and warms up.
const CALLS: usize = 3;
/// A candidate this much slower than the best is not called again.
const HOPELESS: u32 = 2;

/// The fastest algorithm for a call, by measurement. No candidate is begun once `time` is up.
pub(in crate::ops) fn fastest(operator: &Convolution, task: &Task<'_>, time: Duration) -> Result<Algorithm> {
    let geometry = operator.checked_geometry(task)?;
    let start = Instant::now();
    let mut best: Option<(Duration, Algorithm)> = None;
    let mut failure = None;
    for algorithm in candidates(&geometry, operator.gpu().limits()) {
        if best.is_some() && start.elapsed() >= time {
            break;
        }
        let task = Task { options: Options { algorithm, ..task.options }, ..*task };
        let call = || {
            let start = Instant::now();
            let _output = operator.forward(&task)?;
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

/// What the table would try first, then every other algorithm.
fn candidates(geometry: &Geometry, limits: &DeviceLimits) -> Vec<Algorithm> {
    let tiled = [1, 2, 4, 8].map(|splits| Tile::ALL.map(|tile| Algorithm::FusedTiled { tile, splits }));
    let mut candidates = choice(geometry, limits);
    let all = [Algorithm::FusedSubgroup, Algorithm::Columns].into_iter().chain(tiled.into_iter().flatten());
    // That a call is not depthwise is never the reason why it fails.
    let depthwise = geometry.is_depthwise().then_some(Algorithm::Depthwise);
    for algorithm in all.chain([Algorithm::Direct]).chain(depthwise) {
        if !candidates.contains(&algorithm) {
            candidates.push(algorithm);
        }
    }
    candidates
}
