//! Wall times of repeated calls on the device.

use std::time::{Duration, Instant};

use deform::{Error, Gpu, Result};

/// The times of single calls, each from the operands on the device to the finished output, without reading it back.
#[derive(Default)]
pub(crate) struct Timing {
    /// The times in milliseconds, in the order of the calls.
    runs: Vec<f64>,
}

impl Timing {
    /// Calls `call` once to warm up pipelines, caches and clocks, then times up to `runs` calls. Stops early after
    /// `max_seconds`, but times at least one call. Also returns the last call's output.
    pub(crate) fn measure<T, E: From<Error>>(
        gpu: &Gpu,
        runs: usize,
        max_seconds: f64,
        call: impl Fn() -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        drop(call()?);
        gpu.wait()?;
        let begin = Instant::now();
        let mut timing = Self { runs: Vec::with_capacity(runs) };
        loop {
            let start = Instant::now();
            let output = call()?;
            gpu.wait()?;
            timing.runs.push(milliseconds(start.elapsed()));
            if timing.runs.len() >= runs || begin.elapsed().as_secs_f64() >= max_seconds {
                return Ok((timing, output));
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn of(milliseconds: &[f64]) -> Self {
        Self { runs: milliseconds.to_vec() }
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Returns the median; for an even number of runs the mean of the two middle ones.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        f64::midpoint(sorted[low], sorted[high])
    }

    pub(crate) fn min(&self) -> f64 {
        self.runs.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.runs.iter().copied().fold(0.0, f64::max)
    }
}

/// Converts a duration to milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::Timing;

    #[test]
    fn the_median_is_the_middle_run_or_the_mean_of_the_two_middle_runs() {
        let timing = Timing::of(&[9.0, 1.0, 4.0]);
        assert_eq!((timing.min(), timing.median(), timing.max()), (1.0, 4.0, 9.0));
        assert_eq!(Timing::of(&[8.0, 2.0, 3.0, 5.0]).median(), 4.0);
    }
}
