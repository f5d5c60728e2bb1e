//! Channel shifts: every channel moves by its own whole number of pixels. What S²-MLP, AS-MLP and CycleMLP do in the place of a spatial
//! convolution; a 1×1 convolution then mixes the channels.
//!
//! ```text
//! output[b, c, y, x] = input[b, c, y − shift[c][0], x − shift[c][1]]
//! ```
//!
//! A pixel that would come from outside the image is what [`Border`] says. The published models are [`s2_mlp_v1`], [`s2_mlp_v2`] and
//! [`as_mlp`] (whose code pads, rolls and crops, which is a border of zeros); `torch.roll` of every channel is [`Border::Wrap`].

use std::sync::Arc;

use super::checks::{check_dtype, check_shape};
use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::{Call, Engine, Gpu, Prepared, Recorder, Tensor};
use crate::kernel::Storage;
use crate::kernel::shift::channel_shift;
use crate::plan::{DeviceLimits, Len, Plan, split};

/// What a pixel gets that would come from outside the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Border {
    /// 0.
    #[default]
    Zero,
    /// What it had: the slice assignment of S²-MLP leaves the border as it was.
    Keep,
    /// What leaves the image on the other side, as `torch.roll`.
    Wrap,
}

impl Border {
    fn code(self) -> u64 {
        match self {
            Self::Zero => 0,
            Self::Keep => channel_shift::KEEP,
            Self::Wrap => channel_shift::WRAP,
        }
    }
}

/// Which way through the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the input to the output.
    Forward,
    /// From the gradient of the output to that of the input.
    Backward,
}

/// The operator, for so many channels, on one device. A cheap handle.
#[derive(Debug, Clone)]
pub struct ChannelShift {
    engine: Arc<Engine<([usize; 4], Storage, Direction)>>,
    shift: Tensor,
    border: Border,
}

/// No image is so large, and every whole number up to it is an f32.
const MAX_SHIFT: u32 = 1 << 24;

impl ChannelShift {
    /// The operator that moves channel `c` by `shifts[c]`, `[rows down, columns right]`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a shift by more than 2²⁴ pixels; [`Error::EmptyAxis`] for none; [`Error::Device`] where memory runs out.
    pub fn new(gpu: &Gpu, shifts: &[[i32; 2]], border: Border) -> Result<Self> {
        if shifts.is_empty() {
            return Err(Error::EmptyAxis { operand: "shift", axis: 0 });
        }
        let flat: Vec<i32> = shifts.iter().flatten().copied().collect();
        if let Some(by) = flat.iter().find(|by| by.unsigned_abs() > MAX_SHIFT) {
            let (got, limit) = (u64::from(by.unsigned_abs()), u64::from(MAX_SHIFT));
            return Err(Error::TooLarge { what: "a shift".into(), got, limit });
        }
        let values: Vec<f32> = flat.into_iter().map(|by| by as f32).collect();
        let shift = Tensor::upload(gpu, [shifts.len(), 2], &values)?;
        Ok(Self { engine: Arc::new(Engine::new(gpu)), shift, border })
    }

    /// Moves the channels of `input`, `[batch, channels, height, width]`, f32 or f16. Does not wait.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Axis`] where the channels are not as many as the shifts; [`Error::BindingTooLarge`] where a plane
    /// passes what the device binds; [`Error::OtherDevice`]; [`Error::Device`].
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, Direction::Forward)
    }

    /// The gradient of the input, given that of the output: what the shift took from each pixel comes back to it.
    ///
    /// # Errors
    /// As [`ChannelShift::forward`].
    pub fn backward(&self, grad_output: &Tensor) -> Result<Tensor> {
        self.run(grad_output, Direction::Backward)
    }

    /// Plans a call on a tensor of this shape, so that recording it allocates nothing. It needs no workspace.
    ///
    /// # Errors
    /// As [`ChannelShift::forward`].
    pub fn prepare(&self, shape: [usize; 4], dtype: Dtype, direction: Direction) -> Result<()> {
        self.prepared(shape, dtype, direction).map(|_| ())
    }

    /// Records either into the caller's encoder or compute pass: no allocation of device memory but the plan's own at the first call, no submission, no wait.
    /// `output` has `input`'s shape and element type and may not share its buffer.
    ///
    /// # Errors
    /// As [`ChannelShift::forward`]; [`Error::Rank`], [`Error::Axis`] and [`Error::Dtype`] for the output; [`Error::Aliased`].
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        direction: Direction,
        input: &Tensor,
        output: &Tensor,
    ) -> Result<()> {
        let shape = self.shape(input)?;
        check_shape("output", output, &shape, "the input's shape")?;
        check_dtype("output", output, input.dtype())?;
        let prepared = self.prepared(shape, input.dtype(), direction)?;
        self.engine.record(&prepared, recorder, &self.call(input, output), None)
    }

    fn run(&self, input: &Tensor, direction: Direction) -> Result<Tensor> {
        let shape = self.shape(input)?;
        let prepared = self.prepared(shape, input.dtype(), direction)?;
        let output = Tensor::new(self.engine.gpu(), shape, input.dtype())?;
        self.engine.submit(&prepared, &self.call(input, &output))?;
        Ok(output)
    }

    fn shape(&self, input: &Tensor) -> Result<[usize; 4]> {
        let rank = Error::Rank { operand: "input", expected: 4, got: input.shape().len() };
        let shape: [usize; 4] = input.shape().try_into().map_err(|_| rank)?;
        match self.shift.shape()[0] {
            channels if channels == shape[1] => Ok(shape),
            expected => {
                let because = "a shift for each channel";
                Err(Error::Axis { operand: "input", axis: 1, expected, got: shape[1], because })
            }
        }
    }

    fn call<'a>(&'a self, input: &'a Tensor, output: &'a Tensor) -> Call<'a> {
        Call { operands: vec![("input", input), ("shift", &self.shift), ("output", output)], ..Call::default() }
    }

    fn prepared(&self, shape: [usize; 4], dtype: Dtype, direction: Direction) -> Result<Arc<Prepared>> {
        let gpu = self.engine.gpu();
        let storage = gpu.storage(dtype);
        let plan = || plan(shape, storage, self.border, direction, gpu.limits());
        self.engine.prepare(&(shape, storage, direction), plan)
    }
}

/// As many planes a step as a binding holds.
fn plan(
    [batch, channels, height, width]: [usize; 4],
    storage: Storage,
    border: Border,
    direction: Direction,
    limits: &DeviceLimits,
) -> Result<Plan> {
    let pixels = (height as u64).saturating_mul(width as u64);
    limits.check_elements("one channel", storage, pixels)?;
    let shifts = 2 * channels as u64;
    limits.check_elements("the shifts", Storage::F32, shifts)?;
    let window = limits.max_operand_elements(storage);
    // Planes without pixels need no step.
    let planes_per_step = window.checked_div(pixels).unwrap_or(0);
    let planes = if pixels > 0 { (batch * channels) as u64 } else { 0 };
    let mut steps = Vec::new();
    for part in split(0..planes, planes_per_step) {
        let (first, elements) = (part.start * pixels, part.len() * pixels);
        let (input, input_base) = limits.operand_window(storage, "input", first, elements);
        let (output, output_base) = limits.operand_window(storage, "output", first, elements);
        let (shift, _) = limits.window("shift", 0, shifts);
        let params = channel_shift::Params {
            height: height as u64,
            width: width as u64,
            channels: channels as u64,
            first_plane: part.start,
            elements,
            border: border.code(),
            backward: u64::from(direction == Direction::Backward),
            input_base,
            output_base,
        };
        let workgroups = channel_shift::KERNEL.workgroups(elements);
        steps.push(limits.step(&channel_shift::KERNEL, storage, params, vec![input, shift, output], workgroups)?);
    }
    Ok(Plan { steps, ..Plan::default() })
}

/// S²-MLP's shifts (Yu et al. 2021), for [`Border::Keep`]: the quarters of the channels move down, up, right and left by one pixel.
#[must_use]
pub fn s2_mlp_v1(channels: usize) -> Vec<[i32; 2]> {
    quarters(channels, [[1, 0], [-1, 0], [0, 1], [0, -1]])
}

/// The second shift of S²-MLPv2 (its first is [`s2_mlp_v1`]'s): right, left, down and up.
#[must_use]
pub fn s2_mlp_v2(channels: usize) -> Vec<[i32; 2]> {
    quarters(channels, [[0, 1], [0, -1], [1, 0], [-1, 0]])
}

fn quarters(channels: usize, shifts: [[i32; 2]; 4]) -> Vec<[i32; 2]> {
    let quarter = |channel| (1..4).filter(|n| channel >= channels * n / 4).count();
    (0..channels).map(|channel| shifts[quarter(channel)]).collect()
}

/// AS-MLP's shifts (Lian et al. 2021) along one axis (0 is y, 1 is x), for [`Border::Zero`]: `torch.chunk(shift_size)` of the channels move by
/// `−shift_size/2, …, shift_size/2`. A chunk is `⌈channels / shift_size⌉` channels, so the last ones may be missing, as in torch.
#[must_use]
pub fn as_mlp(channels: usize, shift_size: usize, axis: usize) -> Vec<[i32; 2]> {
    let chunk = channels.div_ceil(shift_size.max(1)).max(1);
    let by = |channel: usize| (channel / chunk) as i32 - (shift_size / 2) as i32;
    (0..channels).map(|channel| if axis == 0 { [by(channel), 0] } else { [0, by(channel)] }).collect()
}

/// CycleFC's shifts (Chen et al. 2021), for [`Border::Zero`]: channel `i` reads the pixel `(i + k/2) mod k − k/2` further on, along x for a kernel of
/// `[1, k]`, along y for `[k, 1]`.
#[must_use]
pub fn cycle_fc(channels: usize, [kernel_height, kernel_width]: [usize; 2]) -> Vec<[i32; 2]> {
    let further = |channel: usize, k: usize| ((channel + k / 2) % k) as i32 - (k / 2) as i32;
    let (height, width) = (kernel_height.max(1), kernel_width.max(1));
    (0..channels).map(|channel| [-further(channel, height), -further(channel, width)]).collect()
}
