//! Locking.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whether or not a thread panicked with it: no state behind the locks here can be half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
