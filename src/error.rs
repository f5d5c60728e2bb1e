//! Every way a call can fail, one variant a cause.

use std::time::Duration;

use crate::dtype::Dtype;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with the numbers: the operand and axis where there is one, what was expected, what was got.
///
/// After any error the same [`Gpu`](crate::Gpu), tensors and operators keep working.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No adapter was found, or none that the environment variables allow.
    #[error("no GPU adapter found: {reason}")]
    NoAdapter {
        /// What each backend said.
        reason: String,
    },
    /// The adapter was found but would not give a device.
    #[error("the adapter {adapter} gave no device: {reason}")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// What wgpu said.
        reason: String,
    },
    /// A gradient was asked for by an operand that the call does not have.
    #[error("the gradient of {operand} is asked for, and the call has no {operand}")]
    NoSuchOperand {
        /// The operand's name.
        operand: &'static str,
    },
    /// An optimiser's setting makes no sense.
    #[error("{setting} is {got}, expected {expected}")]
    OptimizerSetting {
        /// Its name.
        setting: &'static str,
        /// What it is.
        got: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A state dict does not hold what a layer needs, or is none.
    #[error("the state dict: {reason}")]
    State {
        /// What is wrong.
        reason: String,
    },
    /// An operand has the wrong number of axes.
    #[error("{operand} has {got} axes, expected {expected}")]
    Rank {
        /// The operand's name.
        operand: &'static str,
        /// The number of axes it must have.
        expected: usize,
        /// The number of axes it has.
        got: usize,
    },
    /// An axis of an operand does not fit the other operands or the options.
    #[error("{operand} axis {axis} is {got}, expected {expected} ({because})")]
    Axis {
        /// The operand's name.
        operand: &'static str,
        /// The axis, counted from 0.
        axis: usize,
        /// The size it must have.
        expected: usize,
        /// The size it has.
        got: usize,
        /// Where the expected size comes from.
        because: &'static str,
    },
    /// An axis of an operand must be a multiple of something and is not (or is none of it).
    #[error("{operand} axis {axis} is {got}, expected a positive multiple of {divisor} ({because})")]
    NotAMultiple {
        /// The operand's name.
        operand: &'static str,
        /// The axis, counted from 0.
        axis: usize,
        /// The size it has.
        got: usize,
        /// What it must be a multiple of.
        divisor: usize,
        /// Where the divisor comes from.
        because: &'static str,
    },
    /// An axis is empty that may not be: only the batch may be 0.
    #[error("{operand} axis {axis} is 0, expected at least 1")]
    EmptyAxis {
        /// The operand's name.
        operand: &'static str,
        /// The axis, counted from 0.
        axis: usize,
    },
    /// A stride or dilation of 0.
    #[error("{option} is 0 on axis {axis} ({axis_name}), expected at least 1")]
    ZeroOption {
        /// `"stride"` or `"dilation"`.
        option: &'static str,
        /// 0 for height, 1 for width.
        axis: usize,
        /// `"height"` or `"width"`.
        axis_name: &'static str,
    },
    /// The dilated kernel does not fit into the padded input, so there would be no output.
    #[error(
        "output {axis_name} would be {got}, expected at least 1: the input has {input} + 2·{padding} \
         padded, the dilated kernel covers {extent}"
    )]
    OutputTooSmall {
        /// `"height"` or `"width"`.
        axis_name: &'static str,
        /// The size computed by the formula, 0 or below.
        got: i64,
        /// The input's size along the axis.
        input: usize,
        /// The padding along the axis.
        padding: usize,
        /// `dilation·(kernel − 1) + 1`.
        extent: u64,
    },
    /// A size passes what the kernels' 32-bit positions and indices can hold.
    #[error("{what} is {got}, which is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size; saturated where even 64 bits do not hold it.
        got: u64,
        /// The most it may be.
        limit: u64,
    },
    /// A single slice of an operand, which no plan can split further, passes the device's binding limit.
    #[error("{what} takes {bytes} bytes, over the {limit} that one of the device's bindings is sure to hold")]
    BindingTooLarge {
        /// The slice, for example `"one input channel"`.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The device's `max_storage_buffer_binding_size`, less what aligning the start may cost.
        limit: u64,
    },
    /// A buffer would pass the device's `max_buffer_size`.
    #[error("a buffer of {bytes} bytes is over the device's max_buffer_size of {limit}")]
    BufferTooLarge {
        /// The size asked for.
        bytes: u64,
        /// The device's limit.
        limit: u64,
    },
    /// The workspace (the caller's, or the limit in the options) cannot hold the smallest chunk of the work.
    #[error("the workspace has {got} bytes, expected at least {needed}")]
    WorkspaceTooSmall {
        /// The bytes the plan needs.
        needed: u64,
        /// The bytes there are.
        got: u64,
    },
    /// The algorithm asked for cannot compute this geometry on this device.
    #[error("{algorithm} cannot be used here: {reason}")]
    Unsuitable {
        /// The algorithm.
        algorithm: String,
        /// Why not.
        reason: String,
    },
    /// The workspace limit, or the device's bindings, would cut the work into an unreasonable number of dispatches.
    #[error(
        "the plan would have {steps} steps, over the limit of {limit}: a larger workspace_limit, or larger bindings, need fewer"
    )]
    TooManySteps {
        /// The number of dispatches.
        steps: u64,
        /// The most a plan may have.
        limit: u64,
    },
    /// The number of elements handed over is not the product of the shape.
    #[error("shape {shape:?} has {expected} elements, got {got}")]
    ElementCount {
        /// The shape.
        shape: Vec<usize>,
        /// Its product.
        expected: usize,
        /// The number of elements handed over.
        got: usize,
    },
    /// An operand stores another element type than this call takes.
    #[error("{operand} stores {got}, expected {expected}")]
    Dtype {
        /// The operand's name.
        operand: &'static str,
        /// The element type this call takes.
        expected: Dtype,
        /// The element type the operand has.
        got: Dtype,
    },
    /// An operand lives on another device than the operator, or on another [`Gpu`](crate::Gpu) handle that is no clone of its.
    #[error("{operand} lives on another device than the operator")]
    OtherDevice {
        /// The operand's name.
        operand: &'static str,
    },
    /// An output or the workspace shares its buffer with another operand; WebGPU forbids to read and write one buffer in one dispatch.
    #[error("{operand} is written but shares its buffer with {other}")]
    Aliased {
        /// The operand written.
        operand: &'static str,
        /// The operand it shares its buffer with.
        other: &'static str,
    },
    /// A caller's buffer cannot serve as a tensor.
    #[error("the buffer cannot hold the tensor: {reason}")]
    UnsuitableBuffer {
        /// Why not: usage, size or alignment, with the numbers.
        reason: String,
    },
    /// A caller's texture cannot be read or written as asked.
    #[error("the texture is unsuitable: {reason}")]
    UnsuitableTexture {
        /// Why not: format, usage or size, with the numbers.
        reason: String,
    },
    /// The device did not finish within the wait timeout.
    #[error("the device did not finish within {timeout:?}")]
    Timeout {
        /// The timeout that ran out.
        timeout: Duration,
    },
    /// A file of measurements cannot be read or written, or is none.
    #[error("tuning: {reason}")]
    Tuning {
        /// Which file or line, and what is wrong with it.
        reason: String,
    },
    /// wgpu reported an error: out of memory, device lost, or a limit of a device that is not this crate's own.
    #[error("wgpu: {message}")]
    Device {
        /// wgpu's message.
        message: String,
    },
}
