//! Wall time of repeated calls on the device.

use std::time::{Duration, Instant};

use deform::{Gpu, Result};

/// The time of single calls, from operands on the device to the finished output, nothing read back.
#[derive(Default)]
pub(crate) struct Timing {
    /// Every timed call in the order they were made, in milliseconds.
    runs: Vec<f64>,
}

impl Timing {
    /// Calls once to warm up (pipelines, caches, clocks), then up to `runs` times, stopping early once `max_seconds`
    /// have passed but never before one timed call. Also returns the last call's output.
    pub(crate) fn measure<T>(
        gpu: &Gpu,
        runs: usize,
        max_seconds: f64,
        call: impl Fn() -> Result<T>,
    ) -> Result<(Self, T)> {
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

    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The middle run, or the mean of the two in the middle.
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

/// A duration in milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::Timing;

    #[test]
    fn the_median_is_the_middle_run_or_between_the_two() {
        let timing = Timing { runs: vec![9.0, 1.0, 4.0] };
        assert_eq!((timing.min(), timing.median(), timing.max()), (1.0, 4.0, 9.0));
        assert_eq!(Timing { runs: vec![8.0, 2.0, 3.0, 5.0] }.median(), 4.0);
    }
}
