//! A stage of the backward pass, and the plan that the stages add to.

use std::collections::BTreeMap;
use std::ops::Range;

use super::pass::{Pass, Tiling};
use crate::error::Result;
use crate::ops::convolution::layout::Part;
use crate::plan::{Plan, Scratch, Step};

/// A stage's answers to the plan. Only those of a stage that is wanted count.
pub(super) struct Stage {
    /// Returns whether the stage has anything to compute.
    pub(super) wanted: fn(&Pass<'_>) -> bool,
    /// Returns an error if no window holds what no tiling can cut.
    pub(super) check: fn(&Pass<'_>) -> Result<()>,
    /// Returns the textures and buffers that the stage binds and no stage before it provides.
    pub(super) scratch: fn(&Pass<'_>, &Tiling) -> Vec<Scratch>,
    /// Returns the bytes of workspace that the stage uses.
    pub(super) workspace_bytes: fn(&Pass<'_>, &Tiling) -> u64,
    /// Returns whether the stage can do so much at once.
    pub(super) fits: fn(&Pass<'_>, &Tiling) -> bool,
    /// What a call has too much of if not even the smallest tiling fits.
    pub(super) limit: &'static str,
    /// Adds the steps of one part.
    pub(super) steps: fn(&Pass<'_>, &Tiling, &Part, &mut Progress<'_>) -> Result<()>,
}

impl Stage {
    /// A stage that needs no memory, has no limit and is not wanted.
    pub(super) const NOTHING: Self = Self {
        wanted: |_| false,
        check: |_| Ok(()),
        scratch: |_, _| Vec::new(),
        workspace_bytes: |_, _| 0,
        fits: |_, _| true,
        limit: "",
        steps: |_, _, _, _| Ok(()),
    };
}

/// The plan so far, and the contents of the scratch at its end. Nothing that is there is computed again.
pub(super) struct Progress<'a> {
    plan: &'a mut Plan,
    held: BTreeMap<&'static str, Vec<Range<u64>>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(plan: &'a mut Plan) -> Self {
        Self { plan, held: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, step: Step) -> Result<()> {
        self.plan.push(step)
    }

    /// Returns whether the scratch holds something else than what these ranges of images, pixels, channels and so on
    /// give. The caller must then plan the steps that compute it: from now on the scratch counts as holding it.
    pub(super) fn lacks<const N: usize>(&mut self, scratch: &'static str, from: [Range<u64>; N]) -> bool {
        self.held.insert(scratch, from.to_vec()).is_none_or(|held| held != from)
    }
}
