//! The fastest measured algorithm for each device and geometry, kept in a text file.

#[cfg(not(target_arch = "wasm32"))]
pub(in crate::ops) mod measure;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::str::FromStr;

use super::algorithm::{Algorithm, ParseAlgorithmError};
use super::geometry::Geometry;
use crate::error::{Error, Result};
use crate::gpu::Gpu;

/// The fastest algorithm for each (device, geometry) that was tuned.
///
/// As text it has one line per entry, with three columns between tabs: the device (adapter, backend, driver and its
/// version), the geometry, and the algorithm. A file may hold the entries of several drivers; those of other drivers
/// have no effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tuning(BTreeMap<[String; 2], Algorithm>);

impl Tuning {
    /// Reads a file. A file that does not exist counts as empty.
    ///
    /// # Errors
    /// Returns [`Error::Tuning`] if it cannot be read or has another format.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        match std::fs::read_to_string(&path) {
            Ok(text) => text.parse(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(tuning_error(format!("{}: {error}", path.as_ref().display()))),
        }
    }

    /// Writes a file. It is written under another name first, so that an interruption leaves the old file.
    ///
    /// # Errors
    /// Returns [`Error::Tuning`] if it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        // The new file replaces the one that a link leads to, and not the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let wrong = |error: std::io::Error| tuning_error(format!("{}: {error}", path.display()));
        if target.metadata().is_ok_and(|old| !old.is_file()) {
            // Nothing may take the name of a device.
            return std::fs::write(&target, self.to_string()).map_err(wrong);
        }
        // Programs and threads that save at the same time write different files.
        let mut new = target.clone().into_os_string();
        new.push(format!(".{:016x}", RandomState::new().hash_one(0)));
        let written = std::fs::write(&new, self.to_string()).and_then(|()| std::fs::rename(&new, &target));
        written.map_err(|error| {
            // It is there if only the renaming failed.
            let _ = std::fs::remove_file(&new);
            wrong(error)
        })
    }

    /// Returns the entry for a geometry on `gpu`.
    #[must_use]
    pub fn get(&self, gpu: &Gpu, geometry: &Geometry) -> Option<Algorithm> {
        // Every call asks, and most programs tune nothing, so they need not write out a key.
        if self.0.is_empty() { None } else { self.0.get(&key(gpu, geometry)).copied() }
    }

    /// Sets the entry for a geometry on `gpu`.
    pub fn insert(&mut self, gpu: &Gpu, geometry: &Geometry, algorithm: Algorithm) {
        self.0.insert(key(gpu, geometry), algorithm);
    }
}

fn key(gpu: &Gpu, geometry: &Geometry) -> [String; 2] {
    // Tabs and line breaks separate columns and entries, so a name must not contain them.
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
