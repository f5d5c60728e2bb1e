//! Notes on plans that a limit made slow, and their refusal.

use super::options::Options;
use crate::error::{Error, Result};
use crate::plan::Plan;

/// The number of steps from which a plan may have a note.
const MANY_STEPS: usize = 64;
/// How many times as many steps as without a limit a plan has that gets a note.
const TIMES_AS_MANY: usize = 4;
/// More than the memory of any device.
const NO_LIMIT: u64 = 1 << 40;

/// Adds a note if the workspace limit cuts the work into many more steps. `again` plans the same call.
pub(super) fn of_cuts(plan: &mut Plan, options: &Options, again: impl FnOnce(&Options) -> Result<Plan>) {
    if plan.steps.len() < MANY_STEPS {
        return;
    }
    let Ok(whole) = again(&Options { workspace_limit: NO_LIMIT, ..*options }) else { return };
    if plan.steps.len() >= TIMES_AS_MANY * whole.steps.len() {
        plan.notes.push(format!(
            "the workspace_limit of {} bytes cuts the call into {} steps; with {} bytes there are {}",
            options.workspace_limit,
            plan.steps.len(),
            whole.memory_bytes(),
            whole.steps.len()
        ));
    }
}

/// Returns the plan, or an error if it has notes and the options refuse such a plan.
pub(super) fn refuse(plan: Plan, options: &Options) -> Result<Plan> {
    if options.refuse_slow && !plan.notes.is_empty() {
        return Err(Error::Slow { algorithm: plan.algorithm, reasons: plan.notes });
    }
    Ok(plan)
}
