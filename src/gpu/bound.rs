//! Bound calls: programs with their operands.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::program::Program;
use super::recorder::Recorder;
use crate::plan::Step;

/// A prepared call with its operands. Recording it makes no buffer, view, bind group or other object.
///
/// A `Bound` keeps its operands and the scratch that it was bound to. The contents of the operands may change between
/// recordings. The handle is cheap to clone, `Send` and `Sync`.
#[derive(Clone, Default)]
pub struct Bound {
    parts: Vec<Part>,
}

/// The steps of one call, and the bind group of each.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) program: Arc<Program>,
    pub(super) steps: Range<usize>,
    pub(super) groups: Arc<[wgpu::BindGroup]>,
}

impl Bound {
    /// Records the call into the caller's encoder or compute pass. Does not submit, write to the queue or wait.
    ///
    /// wgpu reports the mistake of recording into another device's encoder when the encoder is finished.
    pub fn record<'r, 'pass: 'r>(&self, recorder: impl Into<Recorder<'r, 'pass>>) {
        let mut recorder = recorder.into();
        self.parts.iter().for_each(|part| part.record_into(recorder.reborrow()));
    }

    /// Splits the call into its steps. Each comes with a call that dispatches it alone. Recorded one after the other they
    /// do what this call does, and each can have a pass of its own with timestamps around it.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, Self)> {
        self.parts.iter().flat_map(|part| {
            part.steps.clone().zip(&*part.groups).map(|(n, group)| {
                let alone = Part { program: part.program.clone(), steps: n..n + 1, groups: Arc::new([group.clone()]) };
                (&part.program.planned.plan.steps[n], alone.into())
            })
        })
    }

    /// Returns this call followed by another.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.parts.extend(next.parts);
        self
    }
}

impl From<Part> for Bound {
    fn from(part: Part) -> Self {
        Self { parts: vec![part] }
    }
}

impl Part {
    pub(super) fn record_into(&self, recorder: Recorder<'_, '_>) {
        let label = self.program.label.as_str();
        match recorder {
            Recorder::Encoder(encoder) => {
                let descriptor = wgpu::ComputePassDescriptor { label: Some(label), timestamp_writes: None };
                self.dispatch(&mut encoder.begin_compute_pass(&descriptor));
            }
            Recorder::Pass(pass) => {
                pass.push_debug_group(label);
                self.dispatch(pass);
                pass.pop_debug_group();
            }
        }
    }

    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>) {
        for (n, group) in self.steps.clone().zip(&*self.groups) {
            let step = &self.program.planned.plan.steps[n];
            let [x, y, z] = step.workgroups;
            pass.insert_debug_marker(step.kernel.name);
            pass.set_pipeline(&self.program.pipelines[n].pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bound({} steps)", self.parts.iter().map(|part| part.steps.len()).sum::<usize>())
    }
}
