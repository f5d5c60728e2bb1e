//! The engine: it executes plans. It knows no operator and decides nothing.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::context::Gpu;
use super::pipeline::Pipeline;
use super::recorder::Recorder;
use super::scratch::{Pool, Resource};
use super::tensor::Tensor;
use super::texture::BoundTexture;
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::plan::{F32_BYTES, Plan, Step, WORKSPACE};

/// A plan that is ready on a device: its pipelines are compiled, its uniforms are uploaded, and the engine holds
/// scratch for it. Recording it allocates no device memory while the engine keeps the plan.
#[derive(Debug)]
pub(crate) struct Prepared {
    plan: Plan,
    pipelines: Vec<Arc<Pipeline>>,
    /// The uniforms of all steps, one after another at the device's uniform alignment. They are never written again, so
    /// two recordings in one submission cannot disturb each other.
    uniforms: wgpu::Buffer,
    uniform_stride: u64,
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

/// The resources that a recording binds.
struct Bound<'a> {
    operands: &'a [(&'static str, &'a Tensor)],
    scratch: Vec<(&'static str, &'a Resource)>,
    workspace: Option<&'a Tensor>,
}

/// The results of a plan's weight steps, kept by the caller.
#[derive(Debug)]
pub(crate) struct Packed {
    steps: Vec<Step>,
    scratch: Pool,
}

/// The prepared plans of one operator by key, a workspace for the calls that bring none, and the scratch of all plans.
///
/// Work on one queue runs in order, and every recording writes the scratch before it reads it. So all calls can share
/// the scratch.
#[derive(Debug)]
pub(crate) struct Engine<K> {
    gpu: Gpu,
    prepared: Mutex<VecDeque<(K, Arc<Prepared>)>>,
    workspace: Mutex<Option<Tensor>>,
    scratch: Mutex<Pool>,
}

/// The number of prepared plans that an operator keeps. The least recently used one is dropped first.
/// `DeformConv2d::prepare` documents the number.
const PREPARED_PLANS_KEPT: usize = 64;

impl<K: PartialEq + Clone> Engine<K> {
    pub(crate) fn new(gpu: &Gpu) -> Self {
        Self { gpu: gpu.clone(), prepared: Mutex::default(), workspace: Mutex::default(), scratch: Mutex::default() }
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Returns the prepared plan kept under `key`. Prepares and keeps `plan()` if there is none.
    pub(crate) fn prepare(&self, key: &K, plan: impl FnOnce() -> Result<Plan>) -> Result<Arc<Prepared>> {
        let mut kept = lock(&self.prepared);
        let prepared = match kept.iter().position(|(k, _)| k == key).and_then(|at| kept.remove(at)) {
            Some((_, prepared)) => prepared,
            None => {
                let prepared = Prepared::new(&self.gpu, plan()?)?;
                lock(&self.scratch).provide(&self.gpu, &prepared.plan.scratch)?;
                Arc::new(prepared)
            }
        };
        kept.push_front((key.clone(), Arc::clone(&prepared)));
        if kept.len() > PREPARED_PLANS_KEPT {
            kept.truncate(PREPARED_PLANS_KEPT);
            lock(&self.scratch).retain(kept.iter().flat_map(|(_, prepared)| &prepared.plan.scratch));
        }
        Ok(prepared)
    }

    /// Records and submits a call with the engine's own workspace, which is kept for the next call.
    pub(crate) fn submit(&self, prepared: &Prepared, call: &Call<'_>) -> Result<()> {
        let needed = prepared.plan.workspace_bytes;
        let kept = lock(&self.workspace).take().filter(|workspace| workspace.bytes() >= needed);
        let workspace = match kept {
            Some(workspace) => workspace,
            None => Tensor::new(&self.gpu, [(needed / F32_BYTES) as usize], Dtype::F32)?,
        };
        self.submit_recorded(|encoder| self.record(prepared, encoder, call, Some(&workspace)))?;
        *lock(&self.workspace) = Some(workspace);
        Ok(())
    }

    /// Records calls that need no workspace, one after another, and submits them together.
    pub(crate) fn submit_all(&self, calls: &[(Arc<Prepared>, Call<'_>)]) -> Result<()> {
        self.submit_recorded(|encoder| {
            calls.iter().try_for_each(|(prepared, call)| self.record(prepared, &mut *encoder, call, None))
        })
    }

    /// Records into the caller's encoder or pass.
    pub(crate) fn record<'a, 'pass: 'a>(
        &self,
        prepared: &Prepared,
        recorder: impl Into<Recorder<'a, 'pass>>,
        call: &Call<'_>,
        workspace: Option<&Tensor>,
    ) -> Result<()> {
        let plan = &prepared.plan;
        let weight_steps = &plan.steps[..plan.weight_steps];
        let packed = call.packed.filter(|packed| packed.steps == weight_steps);
        let steps = if packed.is_some() { plan.weight_steps..plan.steps.len() } else { 0..plan.steps.len() };
        let needed = plan.workspace_bytes;
        let got = workspace.map_or(0, Tensor::bytes);
        if got < needed {
            return Err(Error::WorkspaceTooSmall { needed, got });
        }
        let mut pool = lock(&self.scratch);
        // The scratch is there since the plan was prepared, unless PREPARED_PLANS_KEPT other plans were prepared
        // meanwhile.
        pool.provide(&self.gpu, &plan.scratch)?;
        let scratch = plan.scratch.iter().filter_map(|scratch| {
            let packed = packed.and_then(|packed| packed.scratch.get(scratch));
            Some((scratch.name, packed.or_else(|| pool.get(scratch))?))
        });
        let texture = call.texture.map(|(name, texture)| (name, &texture.0));
        let scratch = scratch.chain(texture).collect();
        let bound = Bound { operands: &call.operands, scratch, workspace };
        prepared.record(&self.gpu, recorder.into(), steps, &bound)
    }

    /// Runs the plan's weight steps into their own scratch.
    pub(crate) fn pack(&self, prepared: &Prepared, weight: (&'static str, &Tensor)) -> Result<Packed> {
        self.submit_recorded(|encoder| self.record_pack(prepared, encoder, weight))
    }

    /// [`Engine::pack`], recorded into the caller's encoder or pass.
    pub(crate) fn record_pack<'a, 'pass: 'a>(
        &self,
        prepared: &Prepared,
        recorder: impl Into<Recorder<'a, 'pass>>,
        weight: (&'static str, &Tensor),
    ) -> Result<Packed> {
        let plan = &prepared.plan;
        let steps = &plan.steps[..plan.weight_steps];
        let written: Vec<_> = plan
            .scratch
            .iter()
            .copied()
            .filter(|scratch| steps.iter().any(|step| writes(step, scratch.name)))
            .collect();
        let mut pool = Pool::default();
        pool.provide(&self.gpu, &written)?;
        let scratch = written.iter().filter_map(|scratch| Some((scratch.name, pool.get(scratch)?))).collect();
        let bound = Bound { operands: &[weight], scratch, workspace: None };
        prepared.record(&self.gpu, recorder.into(), 0..steps.len(), &bound)?;
        Ok(Packed { steps: steps.to_vec(), scratch: pool })
    }

    fn submit_recorded<T>(&self, record: impl FnOnce(&mut wgpu::CommandEncoder) -> Result<T>) -> Result<T> {
        let label = Some("deform");
        let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label });
        let recorded = record(&mut encoder)?;
        self.gpu.checked(|| self.gpu.queue().submit([encoder.finish()]))?;
        Ok(recorded)
    }
}

impl Prepared {
    fn new(gpu: &Gpu, plan: Plan) -> Result<Self> {
        let pipelines = plan.steps.iter().map(|step| gpu.pipeline(step)).collect::<Result<Vec<_>>>()?;
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

    /// Records these steps into one compute pass. First checks that all operands belong to this device, and that no
    /// operand that a step writes shares its buffer with another operand.
    fn record(&self, gpu: &Gpu, recorder: Recorder<'_, '_>, steps: Range<usize>, bound: &Bound<'_>) -> Result<()> {
        let workspace = bound.workspace.map(|workspace| (WORKSPACE, workspace));
        let operands: Vec<_> = bound.operands.iter().copied().chain(workspace).collect();
        if let Some(&(operand, _)) = operands.iter().find(|(_, tensor)| tensor.gpu() != gpu) {
            return Err(Error::OtherDevice { operand });
        }
        check_aliases(&self.plan.steps[steps.clone()], &operands)?;
        // All bind groups are made before anything is recorded: if one fails, the caller's encoder is as before.
        let groups: Vec<_> =
            gpu.checked(|| steps.clone().map(|n| self.bind(gpu, n, &operands, &bound.scratch)).collect())?;
        let label = format!("deform {}", self.plan.algorithm);
        gpu.checked(|| match recorder {
            Recorder::Encoder(encoder) => {
                let descriptor = wgpu::ComputePassDescriptor { label: Some(label.trim_end()), timestamp_writes: None };
                self.dispatch(&mut encoder.begin_compute_pass(&descriptor), steps, &groups);
            }
            Recorder::Pass(pass) => {
                pass.push_debug_group(label.trim_end());
                self.dispatch(pass, steps, &groups);
                pass.pop_debug_group();
            }
        })
    }

    fn dispatch(&self, pass: &mut wgpu::ComputePass<'_>, steps: Range<usize>, groups: &[wgpu::BindGroup]) {
        for (n, group) in steps.zip(groups) {
            let step = &self.plan.steps[n];
            let [x, y, z] = step.workgroups;
            pass.insert_debug_marker(step.kernel.name);
            pass.set_pipeline(&self.pipelines[n].pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
    }

    fn bind(
        &self,
        gpu: &Gpu,
        n: usize,
        operands: &[(&'static str, &Tensor)],
        scratch: &[(&'static str, &Resource)],
    ) -> wgpu::BindGroup {
        let step = &self.plan.steps[n];
        let range = |buffer, offset, bytes| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(bytes) })
        };
        let uniform = range(&self.uniforms, n as u64 * self.uniform_stride, uniform_bytes(step));
        let windows = step.windows.iter().filter_map(|window| {
            let scratch = scratch.iter().find(|(name, _)| *name == window.operand);
            Some(match scratch {
                Some((_, Resource::Texture(view))) => wgpu::BindingResource::TextureView(view),
                Some((_, Resource::Buffer(buffer))) => range(buffer, window.start, window.bytes),
                None => {
                    let (_, tensor) = operands.iter().find(|(name, _)| *name == window.operand)?;
                    range(tensor.buffer(), tensor.offset() + window.start, window.bytes)
                }
            })
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

fn check_aliases(steps: &[Step], operands: &[(&'static str, &Tensor)]) -> Result<()> {
    let written = |name: &str| steps.iter().any(|step| writes(step, name));
    for (at, &(operand, tensor)) in operands.iter().enumerate().filter(|(_, (name, _))| written(name)) {
        let mut others = operands.iter().enumerate().filter(|&(other, _)| other != at);
        if let Some((_, &(other, _))) = others.find(|(_, (_, t))| t.buffer() == tensor.buffer()) {
            return Err(Error::Aliased { operand, other });
        }
    }
    Ok(())
}

fn writes(step: &Step, operand: &str) -> bool {
    let windows = step.kernel.bindings.iter().zip(&step.windows);
    windows.into_iter().any(|(binding, window)| binding.access.writes() && window.operand == operand)
}

fn uniform_bytes(step: &Step) -> u64 {
    step.params.len() as u64 * 4
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
