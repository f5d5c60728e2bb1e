//! What was measured to be fastest: a memory from device and geometry to algorithm, kept in a text file.

#[cfg(not(target_arch = "wasm32"))]
pub(in crate::ops) mod measure;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::algorithm::{Algorithm, ParseAlgorithmError};
use super::geometry::Geometry;
use crate::error::{Error, Result};
use crate::gpu::Gpu;

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
            let algorithm = algorithm.parse().map_err(|error: ParseAlgorithmError| wrong(error.to_string()))?;
            Ok(([device.to_owned(), geometry.to_owned()], algorithm))
        };
        text.lines().enumerate().map(entry).collect::<Result<_>>().map(Self)
    }
}

fn tuning_error(reason: String) -> Error {
    Error::Tuning { reason }
}
