//! Executes plans: knows no operator, decides nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pipeline::Pipeline;
use super::{Dtype, Gpu, Tensor};
use crate::kernel::Access;
use crate::plan::{F32_BYTES, Plan, Step, WORKSPACE};
use crate::{Error, Result};

/// A plan made ready on a device: its pipelines compiled, its uniforms uploaded for good. Recording it allocates no memory.
#[derive(Debug)]
pub(crate) struct Prepared {
    plan: Plan,
    pipelines: Vec<Arc<Pipeline>>,
    /// The uniforms of all steps, one after another at the device's uniform alignment. Never written again: two recordings in
    /// one submission cannot disturb each other.
    uniforms: wgpu::Buffer,
    uniform_stride: u64,
}

/// The prepared plans of one operator, by key, and one workspace for the calls that bring none.
#[derive(Debug)]
pub(crate) struct Engine<K> {
    gpu: Gpu,
    prepared: Mutex<VecDeque<(K, Arc<Prepared>)>>,
    workspace: Mutex<Option<Tensor>>,
}

/// How many prepared plans an operator keeps; the one unused for longest goes first. `DeformConv2d::prepare` tells the number.
const PREPARED_PLANS_KEPT: usize = 64;

impl<K: PartialEq + Clone> Engine<K> {
    pub(crate) fn new(gpu: &Gpu) -> Self {
        Self { gpu: gpu.clone(), prepared: Mutex::default(), workspace: Mutex::default() }
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The prepared plan kept under `key`, or `plan()` made ready and kept.
    pub(crate) fn prepare(&self, key: &K, plan: impl FnOnce() -> Result<Plan>) -> Result<Arc<Prepared>> {
        let mut kept = lock(&self.prepared);
        let prepared = match kept.iter().position(|(k, _)| k == key).and_then(|at| kept.remove(at)) {
            Some((_, prepared)) => prepared,
            None => Arc::new(Prepared::new(&self.gpu, plan()?)?),
        };
        kept.push_front((key.clone(), Arc::clone(&prepared)));
        kept.truncate(PREPARED_PLANS_KEPT);
        Ok(prepared)
    }

    /// Records and submits with a workspace of the engine's own, kept for the next call: work on one queue runs in order, so a
    /// workspace may be handed on as soon as its commands are submitted.
    pub(crate) fn submit(&self, prepared: &Prepared, operands: &[(&'static str, &Tensor)]) -> Result<()> {
        let needed = prepared.plan.workspace_bytes;
        let kept = lock(&self.workspace).take().filter(|workspace| workspace.bytes() >= needed);
        let workspace = match kept {
            Some(workspace) => workspace,
            None => Tensor::new(&self.gpu, [(needed / F32_BYTES) as usize], Dtype::F32)?,
        };
        let label = Some("deform");
        let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        prepared.record(&self.gpu, &mut encoder, operands, &workspace)?;
        self.gpu.checked(|| self.gpu.queue().submit([encoder.finish()]))?;
        *lock(&self.workspace) = Some(workspace);
        Ok(())
    }
}

impl Prepared {
    fn new(gpu: &Gpu, plan: Plan) -> Result<Self> {
        let pipelines =
            plan.steps.iter().map(|step| gpu.pipelines().get(gpu, step.kernel)).collect::<Result<Vec<_>>>()?;
        let alignment = u64::from(gpu.device().limits().min_uniform_buffer_offset_alignment);
        let longest = plan.steps.iter().map(uniform_bytes).max().unwrap_or(0);
        let uniform_stride = longest.next_multiple_of(alignment);
        let mut contents = vec![0u8; (uniform_stride as usize * plan.steps.len()).max(4)];
        if uniform_stride > 0 {
            for (slot, step) in contents.chunks_exact_mut(uniform_stride as usize).zip(&plan.steps) {
                slot[..uniform_bytes(step) as usize].copy_from_slice(bytemuck::cast_slice(&step.params));
            }
        }
        let size = contents.len() as u64;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let label = Some("deform uniforms");
        let uniforms = gpu.checked(|| {
            let descriptor = wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false };
            let uniforms = gpu.device().create_buffer(&descriptor);
            gpu.queue().write_buffer(&uniforms, 0, &contents);
            uniforms
        })?;
        Ok(Self { plan, pipelines, uniforms, uniform_stride })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Records every step into one compute pass. Checks what WebGPU would trip over: foreign devices, a short workspace, and
    /// buffers that are read and written at once.
    pub(crate) fn record(
        &self,
        gpu: &Gpu,
        encoder: &mut wgpu::CommandEncoder,
        operands: &[(&'static str, &Tensor)],
        workspace: &Tensor,
    ) -> Result<()> {
        if workspace.bytes() < self.plan.workspace_bytes {
            return Err(Error::WorkspaceTooSmall { needed: self.plan.workspace_bytes, got: workspace.bytes() });
        }
        let bound: Vec<_> = operands.iter().copied().chain([(WORKSPACE, workspace)]).collect();
        if let Some(&(operand, _)) = bound.iter().find(|(_, tensor)| tensor.gpu() != gpu) {
            return Err(Error::OtherDevice { operand });
        }
        self.check_aliases(&bound)?;
        // Before anything is recorded: a bind group that fails leaves the caller's encoder as it was.
        let groups: Vec<_> = gpu.checked(|| (0..self.plan.steps.len()).map(|n| self.bind(gpu, n, &bound)).collect())?;
        gpu.checked(|| {
            let descriptor = wgpu::ComputePassDescriptor { label: Some("deform"), timestamp_writes: None };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            for ((step, pipeline), group) in self.plan.steps.iter().zip(&self.pipelines).zip(&groups) {
                let [x, y, z] = step.workgroups;
                pass.set_pipeline(&pipeline.pipeline);
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(x, y, z);
            }
        })
    }

    fn check_aliases(&self, bound: &[(&'static str, &Tensor)]) -> Result<()> {
        let written = |name: &str| self.plan.steps.iter().any(|step| writes(step, name));
        for (at, &(operand, tensor)) in bound.iter().enumerate().filter(|(_, (name, _))| written(name)) {
            let mut others = bound.iter().enumerate().filter(|&(other, _)| other != at);
            if let Some((_, &(other, _))) = others.find(|(_, (_, t))| t.buffer() == tensor.buffer()) {
                return Err(Error::Aliased { operand, other });
            }
        }
        Ok(())
    }

    fn bind(&self, gpu: &Gpu, n: usize, bound: &[(&'static str, &Tensor)]) -> wgpu::BindGroup {
        let step = &self.plan.steps[n];
        let range = |buffer, offset, bytes| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(bytes) })
        };
        let uniform = range(&self.uniforms, n as u64 * self.uniform_stride, uniform_bytes(step));
        let windows = step.windows.iter().filter_map(|window| {
            let (_, tensor) = bound.iter().find(|(name, _)| *name == window.operand)?;
            Some(range(tensor.buffer(), tensor.offset() + window.start, window.bytes))
        });
        let entries: Vec<_> = std::iter::once(uniform)
            .chain(windows)
            .enumerate()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource })
            .collect();
        let label = Some(step.kernel.name);
        let layout = &self.pipelines[n].layout;
        gpu.device().create_bind_group(&wgpu::BindGroupDescriptor { label, layout, entries: &entries })
    }
}

fn writes(step: &Step, operand: &str) -> bool {
    let windows = step.kernel.bindings.iter().zip(&step.windows);
    windows.into_iter().any(|(binding, window)| binding.access == Access::ReadWrite && window.operand == operand)
}

fn uniform_bytes(step: &Step) -> u64 {
    step.params.len() as u64 * 4
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
