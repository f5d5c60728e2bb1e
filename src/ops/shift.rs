//! Channel shifts: every channel moves by its own whole number of pixels. S²-MLP, AS-MLP and CycleMLP have them in the
//! place of a spatial convolution, and a 1×1 convolution then mixes the channels.
//!
//! ```text
//! output[b, c, y, x] = input[b, c, y − shift[c][0], x − shift[c][1]]
//! ```
//!
//! [`Border`] defines the pixels that would come from outside the image. The shifts of published models are
//! [`s2_mlp_v1`], [`s2_mlp_v2`], [`as_mlp`] (whose code pads, rolls and crops, which is a border of zeros) and
//! [`cycle_fc`]. [`Border::Wrap`] is `torch.roll` of every channel.

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::error::{Error, Result};
use crate::gpu::{Bound, Call, Engine, Expected, Gpu, Planned, Prepared, Recorder, Tensor};
use crate::kernel::Storage;
use crate::kernel::shift::channel_shift;
use crate::plan::{DeviceLimits, Len, Plan, check_shape, split};

/// The value of a pixel that would come from outside the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Border {
    /// The pixel is 0.
    #[default]
    Zero,
    /// The pixel keeps its value, as by the slice assignment of S²-MLP.
    Keep,
    /// The value comes from the other side of the image, as in `torch.roll`.
    Wrap,
}

impl Border {
    fn code(self) -> u64 {
        match self {
            Self::Zero => channel_shift::ZERO,
            Self::Keep => channel_shift::KEEP,
            Self::Wrap => channel_shift::WRAP,
        }
    }
}

/// The direction of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    /// From the input to the output.
    Forward,
    /// From the gradient of the output to the gradient of the input.
    Backward,
}

/// The operator for a fixed number of channels, on one device. The handle is cheap to clone.
#[derive(Debug, Clone)]
pub struct ChannelShift {
    engine: Arc<Engine<([usize; 4], Storage, Direction)>>,
    shift: Tensor,
    border: Border,
}

/// The largest shift. f32 holds every whole number up to it.
const MAX_SHIFT: u32 = 1 << 24;

/// Returns the error for a shift over [`MAX_SHIFT`].
fn too_far(by: i128) -> Error {
    let got = by.unsigned_abs().try_into().unwrap_or(u64::MAX);
    Error::TooLarge { what: "a shift".into(), got, limit: MAX_SHIFT.into() }
}

impl ChannelShift {
    /// Makes the operator that moves channel `c` by `shifts[c]`, `[rows down, columns right]`.
    ///
    /// # Errors
    /// Returns [`Error::TooLarge`] if a shift exceeds 2²⁴ pixels, [`Error::EmptyAxis`] if there are no shifts, or
    /// [`Error::Device`] if memory runs out.
    pub fn new(gpu: &Gpu, shifts: &[[i32; 2]], border: Border) -> Result<Self> {
        if shifts.is_empty() {
            return Err(Error::EmptyAxis { operand: "shift", axis: 0 });
        }
        let flat: Vec<i32> = shifts.iter().flatten().copied().collect();
        if let Some(by) = flat.iter().find(|by| by.unsigned_abs() > MAX_SHIFT) {
            return Err(too_far((*by).into()));
        }
        let values: Vec<f32> = flat.into_iter().map(|by| by as f32).collect();
        let shift = Tensor::upload(gpu, [shifts.len(), 2], &values)?;
        Ok(Self { engine: Arc::new(Engine::new(gpu)), shift, border })
    }

    /// Moves the channels of `input`, `[batch, channels, height, width]`, f32 or f16. Does not wait.
    ///
    /// # Errors
    /// Returns [`Error::Rank`], [`Error::Axis`] if there are not as many channels as shifts, [`Error::BindingTooLarge`]
    /// if a plane exceeds the device's binding limit, [`Error::TooLarge`] for a shape that no device holds,
    /// [`Error::TooManySteps`], [`Error::OtherDevice`], or [`Error::Device`].
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.run(input, Direction::Forward)
    }

    /// Computes the gradient of the input from the gradient of the output: each pixel gets back the gradients of the
    /// pixels that it was moved to.
    ///
    /// # Errors
    /// The same as [`ChannelShift::forward`].
    pub fn backward(&self, grad_output: &Tensor) -> Result<Tensor> {
        self.run(grad_output, Direction::Backward)
    }

    /// Prepares a forward call on a tensor of this shape and this element type.
    ///
    /// # Errors
    /// The same as [`ChannelShift::forward`].
    pub fn prepare(&self, shape: &[usize], dtype: Dtype) -> Result<Prepared<Shift>> {
        self.prepared(shape, dtype, Direction::Forward)
    }

    /// Prepares a backward call, whose operands are the gradient of the output and that of the input.
    ///
    /// # Errors
    /// The same as [`ChannelShift::forward`].
    pub fn prepare_backward(&self, shape: &[usize], dtype: Dtype) -> Result<Prepared<Shift>> {
        self.prepared(shape, dtype, Direction::Backward)
    }

    /// Records [`ChannelShift::forward`] into the caller's encoder or compute pass. Does not submit or wait. Prepares
    /// the call if no handle for it lives and the operator has not kept it. `output` has `input`'s shape and element
    /// type, and may not share its buffer.
    ///
    /// # Errors
    /// The same as [`ChannelShift::forward`], [`Error::Rank`], [`Error::Axis`] or [`Error::Dtype`] for the output, and
    /// [`Error::Aliased`].
    pub fn record_forward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        output: &Tensor,
    ) -> Result<()> {
        self.kept(input, Direction::Forward)?.record_call(recorder, &call(input, output))
    }

    /// Records [`ChannelShift::backward`] into the caller's encoder or compute pass, as
    /// [`ChannelShift::record_forward`] does.
    ///
    /// # Errors
    /// The same as [`ChannelShift::record_forward`].
    pub fn record_backward<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        grad_output: &Tensor,
        grad_input: &Tensor,
    ) -> Result<()> {
        self.kept(grad_output, Direction::Backward)?.record_call(recorder, &call(grad_output, grad_input))
    }

    fn run(&self, input: &Tensor, direction: Direction) -> Result<Tensor> {
        let prepared = self.kept(input, direction)?;
        let output = Tensor::new(self.engine.gpu(), input.shape(), input.dtype())?;
        prepared.submit_call(&call(input, &output))?;
        Ok(output)
    }

    fn kept(&self, input: &Tensor, direction: Direction) -> Result<Prepared<Shift>> {
        Ok(self.engine.keep(self.prepared(input.shape(), input.dtype(), direction)?))
    }

    fn prepared(&self, shape: &[usize], dtype: Dtype, direction: Direction) -> Result<Prepared<Shift>> {
        let rank = Error::Rank { operand: "input", expected: 4, got: shape.len() };
        let axes: [usize; 4] = shape.try_into().map_err(|_| rank)?;
        let shifts = self.shift.shape();
        if shifts[0] != axes[1] {
            let (expected, got, because) = (shifts[0], axes[1], "a shift for each channel");
            return Err(Error::Axis { operand: "input", axis: 1, expected, got, because });
        }
        let gpu = self.engine.gpu();
        let storage = gpu.storage(dtype);
        let plan = || {
            let plan = plan(axes, storage, self.border, direction, gpu.limits())?;
            let because = "the input's shape";
            let operands =
                ["input", "output"].map(|operand| Expected { operand, shape: shape.to_vec(), dtype, because });
            Ok(Planned {
                plan,
                operands: operands.into(),
                own: vec![("shift", self.shift.clone())],
                ..Planned::default()
            })
        };
        self.engine.prepare(&(axes, storage, direction), plan)
    }
}

/// Either call of [`ChannelShift`], as a [`Prepared`].
#[derive(Debug)]
pub enum Shift {}

impl Prepared<Shift> {
    /// Records the call into the caller's encoder or compute pass. Does not submit or wait. A backward call reads the
    /// gradient of the output, and writes that of the input.
    ///
    /// # Errors
    /// Returns [`Error::Rank`], [`Error::Axis`] or [`Error::Dtype`] for an operand of another shape or element type
    /// than the prepared one, [`Error::OtherDevice`], [`Error::Aliased`], or [`Error::Device`].
    pub fn record<'r, 'pass: 'r>(
        &self,
        recorder: impl Into<Recorder<'r, 'pass>>,
        input: &Tensor,
        output: &Tensor,
    ) -> Result<()> {
        self.record_call(recorder, &call(input, output))
    }

    /// Binds the operands of a call that is recorded many times.
    ///
    /// # Errors
    /// The same as [`Prepared::record`].
    pub fn bind(&self, input: &Tensor, output: &Tensor) -> Result<Bound> {
        self.bind_call(&call(input, output))
    }
}

fn call<'a>(input: &'a Tensor, output: &'a Tensor) -> Call<'a> {
    Call { operands: vec![("input", input), ("output", output)], ..Call::default() }
}

/// Plans a call, with as many planes per step as a binding holds.
fn plan(
    shape: [usize; 4],
    storage: Storage,
    border: Border,
    direction: Direction,
    limits: &DeviceLimits,
) -> Result<Plan> {
    check_shape("input", &shape)?;
    let [batch, channels, height, width] = shape.map(|size| size as u64);
    let pixels = height * width;
    limits.check_elements("one channel", storage, pixels)?;
    let shifts = 2 * channels;
    limits.check_elements("the shifts", Storage::F32, shifts)?;
    let window = limits.max_operand_elements(storage);
    // Planes without pixels need no step.
    let planes_per_step = window.checked_div(pixels).unwrap_or(0);
    let planes = if pixels > 0 { batch * channels } else { 0 };
    let mut plan = Plan::default();
    for part in split(0..planes, planes_per_step) {
        let (first, elements) = (part.start * pixels, part.len() * pixels);
        let (input, input_base) = limits.operand_window(storage, "input", first, elements);
        let (output, output_base) = limits.operand_window(storage, "output", first, elements);
        let (shift, _) = limits.window("shift", 0, shifts);
        let params = channel_shift::Params {
            height,
            width,
            channels,
            first_plane: part.start,
            elements,
            border: border.code(),
            backward: u64::from(direction == Direction::Backward),
            input_base,
            output_base,
        };
        let workgroups = channel_shift::KERNEL.workgroups(elements);
        plan.push(limits.step(&channel_shift::KERNEL, storage, params, vec![input, shift, output], workgroups)?)?;
    }
    Ok(plan)
}

/// Returns S²-MLP's shifts (Yu et al. 2021), for [`Border::Keep`]: the quarters of the channels move down, up, right
/// and left by one pixel.
///
/// # Errors
/// Returns [`Error::TooLarge`] for more channels than any image has.
pub fn s2_mlp_v1(channels: usize) -> Result<Vec<[i32; 2]>> {
    quarters(channels, [[1, 0], [-1, 0], [0, 1], [0, -1]])
}

/// Returns the second shift of S²-MLPv2, whose first is [`s2_mlp_v1`]: the quarters move right, left, down and up.
///
/// # Errors
/// The same as [`s2_mlp_v1`].
pub fn s2_mlp_v2(channels: usize) -> Result<Vec<[i32; 2]>> {
    quarters(channels, [[0, 1], [0, -1], [1, 0], [-1, 0]])
}

fn quarters(channels: usize, shifts: [[i32; 2]; 4]) -> Result<Vec<[i32; 2]>> {
    check_channels(channels)?;
    let quarter = |channel| (1..4).filter(|n| channel as u64 >= channels as u64 * n / 4).count();
    Ok((0..channels).map(|channel| shifts[quarter(channel)]).collect())
}

/// Returns AS-MLP's shifts (Lian et al. 2021) along one axis (0 is y, 1 is x), for [`Border::Zero`]: the chunks of
/// `torch.chunk(shift_size)` move by `−shift_size/2, …, shift_size/2`. A chunk has `⌈channels / shift_size⌉` channels,
/// so the last chunks may be missing, as in torch.
///
/// # Errors
/// Returns [`Error::Setting`] if `shift_size` is 0 or `axis` is neither 0 nor 1, and [`Error::TooLarge`] for a shift over
/// 2²⁴ pixels or more channels than any image has.
pub fn as_mlp(channels: usize, shift_size: usize, axis: usize) -> Result<Vec<[i32; 2]>> {
    if shift_size == 0 {
        return Err(setting("shift_size", shift_size, "at least 1"));
    }
    if axis > 1 {
        return Err(setting("the axis of a shift", axis, "0 (y) or 1 (x)"));
    }
    check_channels(channels)?;
    let chunk = channels.div_ceil(shift_size).max(1);
    let by = |channel: usize| shift((channel / chunk) as i128 - (shift_size / 2) as i128);
    (0..channels).map(|channel| Ok(if axis == 0 { [by(channel)?, 0] } else { [0, by(channel)?] })).collect()
}

/// Returns CycleFC's shifts (Chen et al. 2021), for [`Border::Zero`]: channel `i` reads the pixel at a distance of
/// `(i + k/2) mod k − k/2`, along x for a kernel of `[1, k]` and along y for `[k, 1]`.
///
/// # Errors
/// Returns [`Error::Setting`] if no side of the kernel is 1 or a side is 0, and [`Error::TooLarge`] for a shift over 2²⁴
/// pixels or more channels than any image has.
pub fn cycle_fc(channels: usize, kernel_size: [usize; 2]) -> Result<Vec<[i32; 2]>> {
    let [height, width] = kernel_size;
    if height.min(width) != 1 {
        return Err(setting("kernel_size", format_args!("{height},{width}"), "1,k or k,1"));
    }
    check_channels(channels)?;
    let by = |channel: usize, k: usize| {
        let (channel, k) = (channel as i128, k as i128);
        shift(k / 2 - (channel + k / 2) % k)
    };
    (0..channels).map(|channel| Ok([by(channel, height)?, by(channel, width)?])).collect()
}

fn check_channels(channels: usize) -> Result<u64> {
    check_shape("input", &[1, channels])
}

fn shift(by: i128) -> Result<i32> {
    i32::try_from(by).ok().filter(|by| by.unsigned_abs() <= MAX_SHIFT).ok_or_else(|| too_far(by))
}

fn setting(setting: &'static str, got: impl ToString, expected: &'static str) -> Error {
    Error::Setting { setting, got: got.to_string(), expected }
}
