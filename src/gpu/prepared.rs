//! Prepared calls.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::bound::{Bound, Part};
use super::context::Gpu;
use super::program::{Planned, Program};
use super::recorder::Recorder;
use super::scratch::Resource;
use super::tensor::Tensor;
use super::texture::{BoundTexture, unsuitable};
use crate::error::Result;
use crate::plan::{Plan, Step};

/// A call that is ready to run, again and again: it is planned, its kernels are compiled, and its memory is allocated.
/// An operator's or a layer's `prepare` makes it, and `C` says which call it is, such as
/// [`deform_conv2d::Forward`](crate::ops::deform_conv2d::Forward). The handle is cheap to clone, `Send` and `Sync`.
///
/// `record` and `bind` take operands of the prepared shapes and element type. Neither plans nor compiles anything, and
/// neither waits for a thread that does.
///
/// # Memory
/// A call keeps intermediate results in scratch. All calls on a device share their scratch, of each kind the largest
/// that a living call needs, so a model needs no more of it than its largest layer. (Images of very different
/// proportions may need two textures in place of one.) One queue runs in order, and every recording writes the scratch
/// that it reads. So calls may be recorded into several encoders at once and submitted in any order, and nothing in
/// scratch survives a recording.
///
/// A call lives as long as a handle or a [`Bound`] of it, and longer if it is one of those that the operator keeps for
/// callers without a handle. A `Bound` keeps the scratch that was there when it was bound. A program that prepares all
/// its calls before it binds the first keeps only the largest scratch.
pub struct Prepared<C> {
    program: Arc<Program>,
    call: PhantomData<fn(C)>,
}

/// The operands of one call, by the names that the plan's windows use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call<'a> {
    pub(crate) operands: Vec<(&'static str, &'a Tensor)>,
    /// The packed weight, if it was kept from an earlier call.
    pub(crate) packed: Option<&'a Packed>,
    /// The caller's texture and its name, if the plan's windows refer to one.
    pub(crate) texture: Option<(&'static str, &'a BoundTexture)>,
}

/// The results of a plan's weight steps, in memory of their own.
#[derive(Debug)]
pub(crate) struct Packed {
    steps: Vec<Step>,
    resources: Vec<(&'static str, Resource)>,
}

impl<C> Prepared<C> {
    pub(super) fn new(program: Arc<Program>) -> Self {
        Self { program, call: PhantomData }
    }

    pub(super) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.program.gpu
    }

    /// Returns the plan. It implements `Display`.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.program.planned.plan
    }

    /// Returns the same call with scratch of its own, full of NaN. The next recording must not read it before it has
    /// written it.
    ///
    /// # Errors
    /// Returns [`Error::Device`](crate::Error::Device).
    #[doc(hidden)]
    pub fn poisoned(&self) -> Result<Self> {
        let Program { gpu, planned, .. } = &*self.program;
        let program = Program::new(gpu, planned.clone(), &gpu.own_scratch())?;
        program.scratch.poison()?;
        Ok(Self::new(Arc::new(program)))
    }

    /// Records a call into the caller's encoder or pass.
    pub(crate) fn record_call<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        call: &Call<'_>,
    ) -> Result<()> {
        let part = self.part(call)?;
        self.program.gpu.checked(|| part.record_into(recorder.into()))
    }

    /// Records and submits a call.
    pub(crate) fn submit_call(&self, call: &Call<'_>) -> Result<()> {
        self.program.gpu.submit(|encoder| self.record_call(encoder, call))
    }

    pub(crate) fn bind_call(&self, call: &Call<'_>) -> Result<Bound> {
        self.part(call).map(Bound::from)
    }

    /// Checks the operands, and makes the bind groups of all steps.
    fn part(&self, call: &Call<'_>) -> Result<Part> {
        let Planned { plan, own, texture, .. } = &self.program.planned;
        call.operands.iter().try_for_each(|&(operand, tensor)| self.program.check(operand, tensor))?;
        let texels = call.texture.map(|(_, texture)| texture.texels);
        if texels != *texture {
            let [texture, texels] =
                [*texture, texels].map(|texels| texels.map_or("no texture".to_owned(), |texels| texels.to_string()));
            return Err(unsuitable(format!("the call was prepared for {texture}, not for {texels}")));
        }
        let own = own.iter().map(|(operand, tensor)| (*operand, tensor));
        let operands: Vec<_> = call.operands.iter().copied().chain(own).collect();
        let packed = call.packed.filter(|packed| packed.steps == plan.steps[..plan.weight_steps]);
        let first = if packed.is_some() { plan.weight_steps } else { 0 };
        // The packed weight comes before scratch of the same name.
        let mut resources = packed.map_or_else(Vec::new, |packed| packed.resources.clone());
        resources.extend(self.program.scratch.resources()?);
        resources.extend(call.texture.map(|(name, texture)| (name, texture.view.clone())));
        let steps = first..plan.steps.len();
        let groups = self.program.groups(steps.clone(), &operands, &resources)?;
        Ok(Part { program: Arc::clone(&self.program), steps, groups })
    }

    /// Runs the plan's weight steps into memory of their own, and submits.
    pub(crate) fn pack(&self, weight: (&'static str, &Tensor)) -> Result<Packed> {
        self.program.gpu.submit(|encoder| self.record_pack(encoder, weight))
    }

    /// [`Prepared::pack`], recorded into the caller's encoder or pass.
    pub(crate) fn record_pack<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        weight: (&'static str, &Tensor),
    ) -> Result<Packed> {
        let Program { gpu, planned: Planned { plan, .. }, .. } = &*self.program;
        self.program.check(weight.0, weight.1)?;
        let steps = &plan.steps[..plan.weight_steps];
        let written = plan.memory().filter(|scratch| steps.iter().any(|step| step.writes(scratch.name)));
        let resources = written
            .map(|scratch| Ok((scratch.name, gpu.resource(scratch.name, scratch.size)?)))
            .collect::<Result<Vec<_>>>()?;
        let groups = self.program.groups(0..steps.len(), &[weight], &resources)?;
        let part = Part { program: Arc::clone(&self.program), steps: 0..steps.len(), groups };
        gpu.checked(|| part.record_into(recorder.into()))?;
        Ok(Packed { steps: steps.to_vec(), resources })
    }
}

impl<C> Clone for Prepared<C> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.program))
    }
}

impl<C> fmt::Debug for Prepared<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({:?})", self.program)
    }
}
