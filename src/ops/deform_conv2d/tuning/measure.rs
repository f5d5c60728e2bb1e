//! Measuring, which waits for the device: not on the web.

use std::time::{Duration, Instant};

use crate::ops::deform_conv2d::{Algorithm, DeformConv2d, Geometry, Inputs, Options, Task, Tile, Weight, plan::choice};
use crate::{Gpu, Result, Tensor};

/// Timed calls of a candidate, after one that compiles and warms up.
const CALLS: usize = 3;
/// A candidate this much slower than the best is not called again.
const HOPELESS: u32 = 2;

impl DeformConv2d {
    /// Measures the algorithms that these operands could be computed by, on this device, and remembers the fastest: from then on
    /// [`Algorithm::Auto`] takes it for this geometry wherever the workspace allows. `options.algorithm` does not matter.
    ///
    /// No candidate is begun once `time` is up. The first is what the table would choose, so that the result is never slower than
    /// that, as far as measured; a single call, compiling included, may take longer than `time`. Blocks.
    ///
    /// # Errors
    /// As [`DeformConv2d::forward`].
    pub fn tune<'a, W>(&self, inputs: &Inputs<&'a Tensor, W>, options: Options, time: Duration) -> Result<Algorithm>
    where
        W: Copy + Into<Weight<'a>>,
    {
        let gpu = self.engine.gpu();
        let geometry = self.checked_geometry(&Task::new(inputs, options))?;
        let start = Instant::now();
        let mut best: Option<(Duration, Algorithm)> = None;
        let mut failure = None;
        for algorithm in candidates(&geometry, gpu) {
            if best.is_some() && start.elapsed() >= time {
                break;
            }
            let options = Options { algorithm, ..options };
            let call = || {
                let start = Instant::now();
                let _output = self.forward(inputs, options)?;
                gpu.wait()?;
                Ok(start.elapsed())
            };
            match call() {
                Err(error) => failure = Some(error),
                Ok(_) => {
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
            }
        }
        match (best, failure) {
            (Some((_, algorithm)), _) => {
                self.lock_tuning().insert(gpu, &geometry, algorithm);
                Ok(algorithm)
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Algorithm::Auto),
        }
    }
}

/// What the table would try, then all there is.
fn candidates(geometry: &Geometry, gpu: &Gpu) -> Vec<Algorithm> {
    let tiled = [1, 2, 4, 8].map(|splits| Tile::ALL.map(|tile| Algorithm::FusedTiled { tile, splits }));
    let mut candidates = choice(geometry, gpu.limits());
    let all = [Algorithm::FusedSubgroup, Algorithm::Columns].into_iter().chain(tiled.into_iter().flatten());
    // No answer to why a call fails is that it is not depthwise.
    let depthwise = geometry.is_depthwise().then_some(Algorithm::Depthwise);
    for algorithm in all.chain([Algorithm::Direct]).chain(depthwise) {
        if !candidates.contains(&algorithm) {
            candidates.push(algorithm);
        }
    }
    candidates
}
