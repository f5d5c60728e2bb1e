//! The engine: it makes an operator's plans ready, and finds those that are. It knows no operator and decides nothing.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, Weak};

use super::context::Gpu;
use super::lock::lock;
use super::prepared::Prepared;
use super::program::{Planned, Program};
use crate::error::{Error, Result};

/// The prepared calls of one operator by key: all that a handle keeps alive, and the recent ones of those that callers
/// made without a handle.
pub(crate) struct Engine<K> {
    gpu: Gpu,
    alive: Mutex<HashMap<K, Weak<Program>>>,
    recent: Mutex<VecDeque<Arc<Program>>>,
}

/// The number of calls without a handle that an operator keeps. The least recently used one is dropped first.
/// `DeformConv2d` documents the number.
const RECENT: usize = 64;

impl<K: Eq + Hash + Clone> Engine<K> {
    pub(crate) fn new(gpu: &Gpu) -> Self {
        Self { gpu: gpu.clone(), alive: Mutex::default(), recent: Mutex::default() }
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Returns the call that is alive under `key`, or makes `plan()` ready. Two threads that prepare one key at the
    /// same time may both plan it, and share one result.
    pub(crate) fn prepare<C>(&self, key: &K, plan: impl FnOnce() -> Result<Planned>) -> Result<Prepared<C>> {
        let alive = |known: &HashMap<K, Weak<Program>>| known.get(key).and_then(Weak::upgrade);
        let found = alive(&lock(&self.alive));
        if let Some(program) = found {
            return Ok(Prepared::new(program));
        }
        if self.gpu.limits().max_binding_bytes == 0 {
            return Err(Error::MissingFeature { feature: "storage buffers" });
        }
        // No lock is held meanwhile, so no recording waits for the planning and the compiling.
        let planned = plan()?;
        planned.plan.notes.iter().for_each(|note| log::info!("{}: {note}", planned.plan.algorithm));
        let program = Arc::new(Program::new(&self.gpu, planned, self.gpu.scratch())?);
        let mut known = lock(&self.alive);
        if let Some(program) = alive(&known) {
            return Ok(Prepared::new(program));
        }
        known.retain(|_, program| program.strong_count() > 0);
        known.insert(key.clone(), Arc::downgrade(&program));
        Ok(Prepared::new(program))
    }

    /// Keeps a call for which the caller has no handle.
    pub(crate) fn keep<C>(&self, prepared: Prepared<C>) -> Prepared<C> {
        let program = prepared.program();
        let mut recent = lock(&self.recent);
        recent.retain(|kept| !Arc::ptr_eq(kept, program));
        recent.push_front(Arc::clone(program));
        // Dropping a program takes other locks, so it happens after this one is free.
        let dropped = if recent.len() > RECENT { recent.pop_back() } else { None };
        drop(recent);
        drop(dropped);
        prepared
    }
}

impl<K> fmt::Debug for Engine<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on {:?}", self.gpu)
    }
}
