//! Programs: plans that are ready on a device.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::context::Gpu;
use super::pipeline::Pipeline;
use super::scratch::{Lease, Pool, Resource};
use super::tensor::Tensor;
use super::texture::Texels;
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::plan::{Plan, Step};

/// A plan that is ready on a device.
pub(super) struct Program {
    pub(super) gpu: Gpu,
    pub(super) planned: Planned,
    pub(super) pipelines: Vec<Arc<Pipeline>>,
    /// The uniforms of all steps, one after another at the device's uniform alignment. They are never written again, so
    /// two recordings in one submission cannot disturb each other.
    uniforms: wgpu::Buffer,
    uniform_stride: usize,
    pub(super) label: String,
    pub(super) scratch: Lease,
}

/// A plan, and the operands that its windows name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The operands that the caller gives.
    pub(crate) operands: Vec<Expected>,
    /// The operands that the operator itself holds.
    pub(crate) own: Vec<(&'static str, Tensor)>,
    /// The texels of the caller's texture, if the windows refer to one.
    pub(crate) texture: Option<Texels>,
}

/// The shape and the element type that a call expects of an operand.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) operand: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
    /// Where the shape comes from.
    pub(crate) because: &'static str,
}

impl Expected {
    pub(crate) fn check(&self, tensor: &Tensor) -> Result<()> {
        let &Self { operand, ref shape, dtype, because } = self;
        if tensor.shape().len() != shape.len() {
            return Err(Error::Rank { operand, expected: shape.len(), got: tensor.shape().len() });
        }
        let mut axes = tensor.shape().iter().zip(shape).enumerate();
        if let Some((axis, (&got, &expected))) = axes.find(|(_, (got, expected))| got != expected) {
            return Err(Error::Axis { operand, axis, expected, got, because });
        }
        match tensor.dtype() {
            got if got == dtype => Ok(()),
            got => Err(Error::Dtype { operand, expected: dtype, got }),
        }
    }
}

impl Program {
    pub(super) fn new(gpu: &Gpu, planned: Planned, pool: &Arc<Pool>) -> Result<Self> {
        let plan = &planned.plan;
        let pipelines = plan.steps.iter().map(|step| gpu.pipeline(step)).collect::<Result<Vec<_>>>()?;
        let alignment = gpu.device().limits().min_uniform_buffer_offset_alignment as usize;
        let longest = plan.steps.iter().map(uniform_bytes).max().unwrap_or(0);
        let uniform_stride = longest.next_multiple_of(alignment);
        let mut contents = vec![0u8; (uniform_stride * plan.steps.len()).max(4)];
        if uniform_stride > 0 {
            for (slot, step) in contents.chunks_exact_mut(uniform_stride).zip(&plan.steps) {
                slot[..uniform_bytes(step)].copy_from_slice(bytemuck::cast_slice(&step.params));
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
        let label = format!("deform {}", plan.algorithm).trim_end().to_owned();
        let scratch = Lease::new(pool, plan.memory().collect())?;
        Ok(Self { gpu: gpu.clone(), planned, pipelines, uniforms, uniform_stride, label, scratch })
    }

    pub(super) fn check(&self, operand: &'static str, tensor: &Tensor) -> Result<()> {
        let expected = self.planned.operands.iter().find(|expected| expected.operand == operand);
        expected.ok_or(Error::UnknownOperand { operand })?.check(tensor)
    }

    /// Makes the bind groups of these steps. First checks that all operands belong to this device, and that no operand
    /// that a step writes shares its buffer with another operand.
    pub(super) fn groups(
        &self,
        steps: Range<usize>,
        operands: &[(&'static str, &Tensor)],
        resources: &[(&'static str, Resource)],
    ) -> Result<Arc<[wgpu::BindGroup]>> {
        if let Some(&(operand, _)) = operands.iter().find(|(_, tensor)| tensor.gpu() != &self.gpu) {
            return Err(Error::OtherDevice { operand });
        }
        check_aliases(&self.planned.plan.steps[steps.clone()], operands)?;
        let group = |n| self.group(n, operands, resources);
        self.gpu.checked(|| steps.map(group).collect())?
    }

    fn group(
        &self,
        n: usize,
        operands: &[(&'static str, &Tensor)],
        resources: &[(&'static str, Resource)],
    ) -> Result<wgpu::BindGroup> {
        let step = &self.planned.plan.steps[n];
        let range = |buffer, offset, bytes| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(bytes) })
        };
        let uniform = range(&self.uniforms, (n * self.uniform_stride) as u64, uniform_bytes(step) as u64);
        let windows = step.windows.iter().map(|window| {
            let operand = window.operand;
            match resources.iter().find(|(name, _)| *name == operand) {
                Some((_, Resource::Texture(view))) => Ok(wgpu::BindingResource::TextureView(view)),
                Some((_, Resource::Buffer(buffer))) => Ok(range(buffer, window.start, window.bytes)),
                None => {
                    let given = operands.iter().find(|(name, _)| *name == operand);
                    let (_, tensor) = given.ok_or(Error::MissingOperand { operand })?;
                    Ok(range(tensor.buffer(), tensor.offset() + window.start, window.bytes))
                }
            }
        });
        let entry = |(binding, resource): (u32, Result<_>)| Ok(wgpu::BindGroupEntry { binding, resource: resource? });
        let resources = std::iter::once(Ok(uniform)).chain(windows);
        let entries = (0..).zip(resources).map(entry).collect::<Result<Vec<_>>>()?;
        let label = Some(step.kernel.name);
        let layout = &self.pipelines[n].layout;
        Ok(self.gpu.device().create_bind_group(&wgpu::BindGroupDescriptor { label, layout, entries: &entries }))
    }
}

fn check_aliases(steps: &[Step], operands: &[(&'static str, &Tensor)]) -> Result<()> {
    let written = |name: &str| steps.iter().any(|step| step.writes(name));
    for (at, &(operand, tensor)) in operands.iter().enumerate().filter(|(_, (name, _))| written(name)) {
        let mut others = operands.iter().enumerate().filter(|&(other, _)| other != at);
        if let Some((_, &(other, _))) = others.find(|(_, (_, t))| t.buffer() == tensor.buffer()) {
            return Err(Error::Aliased { operand, other });
        }
    }
    Ok(())
}

fn uniform_bytes(step: &Step) -> usize {
    step.params.len() * 4
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps on {:?}", self.planned.plan.steps.len(), self.gpu)
    }
}
