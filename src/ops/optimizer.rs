//! Optimisers: they change parameters by their gradients. Every group of variables has its own learning rate, because
//! many models train the generators of offsets at a lower one.
//!
//! The formulas are torch's ([`Rule`]). The variables stay on the device.

use std::ops::Range;

use crate::dtype::{Dtype, rounded};
use crate::error::{Error, Result};
use crate::gpu::{Call, Engine, Expected, Gpu, Planned, Prepared, Tensor};
use crate::kernel::Storage;
use crate::kernel::optimizer::{adam, sgd};
use crate::kernel::shared::window;
use crate::plan::{DeviceLimits, Len, Plan, split};

/// The rule by which a step changes a variable. In the formulas, `g = gradient + weight_decay · value`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// `torch.optim.SGD`: `velocity = momentum · velocity + g`, `value −= learning_rate · velocity`.
    Sgd {
        /// The share of its velocity that a variable keeps from step to step.
        momentum: f32,
        /// The strength by which values are drawn to 0.
        weight_decay: f32,
    },
    /// `torch.optim.Adam`:
    ///
    /// ```text
    /// first  = beta1 · first + (1 − beta1) · g          second = beta2 · second + (1 − beta2) · g²
    /// value −= learning_rate · (first / (1 − beta1^t)) / (√(second / (1 − beta2^t)) + epsilon)          t counts the steps from 1
    /// ```
    Adam {
        /// `[beta1, beta2]`
        betas: [f32; 2],
        /// The term that keeps the quotient finite.
        epsilon: f32,
        /// The strength by which values are drawn to 0.
        weight_decay: f32,
    },
}

impl Rule {
    /// SGD with momentum 0.9.
    pub const SGD: Self = Self::Sgd { momentum: 0.9, weight_decay: 0.0 };
    /// Adam with torch's defaults.
    pub const ADAM: Self = Self::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 };

    /// Checks the settings by torch's conditions.
    fn check(self) -> Result<()> {
        let within = |setting, value: f32, below: f32, expected| {
            if value >= 0.0 && value < below {
                Ok(())
            } else {
                Err(Error::Setting { setting, got: value.to_string(), expected })
            }
        };
        let finite = |setting, value| within(setting, value, f32::INFINITY, "finite and at least 0");
        match self {
            Self::Sgd { momentum, weight_decay } => {
                finite("momentum", momentum)?;
                finite("weight_decay", weight_decay)
            }
            Self::Adam { betas, epsilon, weight_decay } => {
                betas.into_iter().try_for_each(|beta| within("betas", beta, 1.0, "at least 0 and below 1"))?;
                finite("epsilon", epsilon)?;
                finite("weight_decay", weight_decay)
            }
        }
    }

    /// Returns the names of the tensors that the rule keeps for each variable between steps.
    fn moments(self) -> &'static [&'static str] {
        match self {
            Self::Sgd { .. } => &["velocity"],
            Self::Adam { .. } => &["first", "second"],
        }
    }

    /// Returns the number of the kernel's settings.
    fn setting_count(self) -> usize {
        self.settings(0.0, 1).len()
    }

    /// Returns the kernel's settings in step `t`.
    fn settings(self, learning_rate: f32, t: i32) -> Vec<f32> {
        match self {
            Self::Sgd { momentum, weight_decay } => vec![learning_rate, weight_decay, momentum],
            Self::Adam { betas, epsilon, weight_decay } => {
                let [first, second] = betas.map(|beta| 1.0 - f64::from(beta).powi(t));
                let step_size = f64::from(learning_rate) / first;
                vec![rounded(step_size), weight_decay, betas[0], betas[1], epsilon, rounded(second.sqrt())]
            }
        }
    }
}

/// A value and its gradient: both f32, of the same shape, in separate buffers.
#[derive(Debug, Clone)]
pub struct Variable {
    /// The value.
    pub value: Tensor,
    /// Its gradient.
    pub gradient: Tensor,
}

/// Variables with one learning rate.
#[derive(Debug, Clone)]
pub struct Group {
    /// The variables.
    pub variables: Vec<Variable>,
    /// The learning rate. It may be changed between steps.
    pub learning_rate: f32,
}

/// An optimiser: a rule, the groups that it changes, and the tensors that it keeps for each variable.
#[derive(Debug)]
pub struct Optimizer {
    gpu: Gpu,
    rule: Rule,
    groups: Vec<Group>,
    /// The settings of each group for the current step.
    settings: Vec<Tensor>,
    /// The calls that change the variables of each group.
    changes: Vec<Vec<Change>>,
    steps: i32,
}

/// The call that changes a variable, and the tensors that are kept for the variable between steps.
#[derive(Debug)]
struct Change {
    prepared: Prepared<Self>,
    moments: Vec<Tensor>,
}

impl Optimizer {
    /// Makes an optimiser that has taken no step.
    ///
    /// # Errors
    /// Returns [`Error::Setting`], [`Error::Aliased`] if a value is given twice, [`Error::Dtype`],
    /// [`Error::Rank`] or [`Error::Axis`] if a gradient is not f32 or has another shape than its value, or
    /// [`Error::Device`] if memory runs out.
    pub fn new(gpu: &Gpu, rule: Rule, groups: Vec<Group>) -> Result<Self> {
        rule.check()?;
        let mut seen: Vec<&Tensor> = Vec::new();
        for variable in groups.iter().flat_map(|group| &group.variables) {
            let Variable { value, gradient } = variable;
            expected("value", value).check(value)?;
            if seen.iter().any(|other| other.buffer() == value.buffer() && other.offset() == value.offset()) {
                return Err(Error::Aliased { operand: "value", other: "value" });
            }
            seen.push(value);
            expected("gradient", value).check(gradient)?;
        }
        let engine = Engine::new(gpu);
        let change = |Variable { value, .. }: &Variable| {
            let elements = value.shape().iter().product::<usize>();
            let planned = || {
                let moments = rule.moments().iter().copied();
                let operands = ["gradient", "value"].into_iter().chain(moments).map(|operand| expected(operand, value));
                let settings = Expected { shape: vec![rule.setting_count()], ..expected("settings", value) };
                let operands = operands.chain([settings]).collect();
                Ok(Planned { plan: plan(rule, elements as u64, gpu.limits())?, operands, ..Planned::default() })
            };
            let prepared = engine.prepare(&value.shape().to_vec(), planned)?;
            let moments = rule.moments().iter().map(|_| Tensor::new(gpu, value.shape(), Dtype::F32));
            Ok(Change { prepared, moments: moments.collect::<Result<_>>()? })
        };
        let changes = groups.iter().map(|group| group.variables.iter().map(change).collect()).collect::<Result<_>>()?;
        let settings =
            groups.iter().map(|_| Tensor::new(gpu, [rule.setting_count()], Dtype::F32)).collect::<Result<_>>()?;
        Ok(Self { gpu: gpu.clone(), rule, groups, settings, changes, steps: 0 })
    }

    /// Returns the groups' learning rates, for a schedule to change.
    pub fn learning_rates(&mut self) -> impl Iterator<Item = &mut f32> {
        self.groups.iter_mut().map(|group| &mut group.learning_rate)
    }

    /// Takes one step with the current gradients. Does not wait.
    ///
    /// # Errors
    /// Returns [`Error::OtherDevice`], [`Error::Aliased`] or [`Error::Device`].
    pub fn step(&mut self) -> Result<()> {
        let t = self.steps.saturating_add(1);
        for (group, settings) in self.groups.iter().zip(&self.settings) {
            settings.write(&self.rule.settings(group.learning_rate, t))?;
        }
        self.gpu.submit(|encoder| {
            for ((group, settings), changes) in self.groups.iter().zip(&self.settings).zip(&self.changes) {
                for (Variable { value, gradient }, Change { prepared, moments }) in group.variables.iter().zip(changes)
                {
                    let operands = [("settings", settings), ("gradient", gradient), ("value", value)];
                    let moments = self.rule.moments().iter().copied().zip(moments);
                    let call = Call { operands: operands.into_iter().chain(moments).collect(), ..Call::default() };
                    prepared.record_call(&mut *encoder, &call)?;
                }
            }
            Ok(())
        })?;
        self.steps = t;
        Ok(())
    }
}

/// Returns that an operand must be f32 and have the shape of a variable's value.
fn expected(operand: &'static str, value: &Tensor) -> Expected {
    Expected { operand, shape: value.shape().to_vec(), dtype: Dtype::F32, because: "the value's shape" }
}

fn plan(rule: Rule, elements: u64, limits: &DeviceLimits) -> Result<Plan> {
    let kernel = match rule {
        Rule::Sgd { .. } => &sgd::KERNEL,
        Rule::Adam { .. } => &adam::KERNEL,
    };
    let settings = limits.window("settings", 0, rule.setting_count() as u64).0;
    let step = |part: Range<u64>| {
        let window = |operand| limits.window(operand, part.start, part.len());
        let (gradient, base) = window("gradient");
        let others = ["value"].into_iter().chain(rule.moments().iter().copied()).map(|operand| window(operand).0);
        let windows = [settings, gradient].into_iter().chain(others).collect();
        let params = window::Params { elements: part.len(), base };
        let workgroups = part.len().div_ceil(kernel.workgroup_size);
        limits.step(kernel, Storage::F32, params, windows, workgroups)
    };
    let steps = split(0..elements, limits.max_window_elements()).map(step).collect::<Result<_>>()?;
    Ok(Plan { steps, ..Plan::default() })
}
