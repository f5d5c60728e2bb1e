//! What was measured to be fastest: a memory from device and geometry to algorithm, kept in a text file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::Task;
use super::{Algorithm, DeformConv2d, Geometry, Inputs, Options, Tile, Weight, plan::choice};
use crate::{Error, Gpu, Result, Tensor};

/// The fastest algorithm for each (device, geometry) that was tuned.
///
/// Its text is one line an entry, three columns between tabs: the device (adapter, backend, driver and its version), the geometry,
/// the algorithm. Another driver's entries do not count, and may stand in the same file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tuning(BTreeMap<[String; 2], Algorithm>);

impl Tuning {
    /// Reads a file; one that does not exist is empty.
    ///
    /// # Errors
    /// [`Error::Tuning`] where it cannot be read, or is no such file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        match std::fs::read_to_string(&path) {
            Ok(text) => text.parse(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(tuning_error(format!("{}: {error}", path.as_ref().display()))),
        }
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`Error::Tuning`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let written = std::fs::write(&path, self.to_string());
        written.map_err(|error| tuning_error(format!("{}: {error}", path.as_ref().display())))
    }

    /// The entry for a geometry on `gpu`.
    #[must_use]
    pub fn get(&self, gpu: &Gpu, geometry: &Geometry) -> Option<Algorithm> {
        // Every call asks, and most programs tune nothing: no key is written out for them.
        if self.0.is_empty() { None } else { self.0.get(&key(gpu, geometry)).copied() }
    }

    /// Sets it.
    pub fn insert(&mut self, gpu: &Gpu, geometry: &Geometry, algorithm: Algorithm) {
        self.0.insert(key(gpu, geometry), algorithm);
    }
}

fn key(gpu: &Gpu, geometry: &Geometry) -> [String; 2] {
    // What stands between columns and lines may not stand inside one.
    [gpu.identity().replace(['\t', '\n', '\r'], " "), geometry.to_string()]
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|([device, geometry], algorithm)| writeln!(f, "{device}\t{geometry}\t{algorithm}"))
    }
}

impl FromStr for Tuning {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let entry = |(number, line): (usize, &str)| {
            let wrong = |reason: String| tuning_error(format!("line {}: {reason}", number + 1));
            let columns: Vec<_> = line.split('\t').collect();
            let [device, geometry, algorithm] = columns[..] else {
                return Err(wrong(format!("{} columns, expected device, geometry and algorithm", columns.len())));
            };
            let algorithm = algorithm.parse().map_err(|error: super::ParseAlgorithmError| wrong(error.to_string()))?;
            Ok(([device.to_owned(), geometry.to_owned()], algorithm))
        };
        text.lines().enumerate().map(entry).collect::<Result<_>>().map(Self)
    }
}

fn tuning_error(reason: String) -> Error {
    Error::Tuning { reason }
}

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
    for algorithm in all.chain([Algorithm::Direct]) {
        if !candidates.contains(&algorithm) {
            candidates.push(algorithm);
        }
    }
    candidates
}
