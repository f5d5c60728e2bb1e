//! The errors of this crate: one variant per cause.

use std::fmt;
use std::time::Duration;

use crate::dtype::Dtype;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, with its numbers: the operand and the axis if there is one, the expected and the actual value.
///
/// After any error the same [`Gpu`](crate::Gpu), tensors and operators keep working, unless the device is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no adapter, or none that the environment variables allow.
    #[error("no GPU adapter found: {reason}")]
    NoAdapter {
        /// The message of each backend.
        reason: String,
    },
    /// The adapter did not provide a device.
    #[error("the adapter {adapter} gave no device: {reason}")]
    NoDevice {
        /// The adapter's name.
        adapter: String,
        /// wgpu's message.
        reason: String,
    },
    /// The caller wants the gradient of an operand that the call does not have.
    #[error("the gradient of {operand} is wanted, but the call has no {operand}")]
    NoSuchOperand {
        /// The operand's name.
        operand: &'static str,
    },
    /// The call was prepared with an operand that is not given.
    #[error("the call was prepared with {operand}, and no {operand} is given")]
    MissingOperand {
        /// The operand's name.
        operand: &'static str,
    },
    /// An operand is given that the call was prepared without.
    #[error("the call was prepared without {operand}, and {operand} is given")]
    UnknownOperand {
        /// The operand's name.
        operand: &'static str,
    },
    /// A setting of an operator, a layer or an optimiser is out of range.
    #[error("{setting} is {got}, expected {expected}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        got: String,
        /// The values it may have.
        expected: &'static str,
    },
    /// The data is not a state dict, or lacks what a layer needs.
    #[error("the state dict: {reason}")]
    State {
        /// The cause.
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
    /// An axis of an operand must be a positive multiple of a number, and is not.
    #[error("{operand} axis {axis} is {got}, expected a positive multiple of {divisor} ({because})")]
    NotAMultiple {
        /// The operand's name.
        operand: &'static str,
        /// The axis, counted from 0.
        axis: usize,
        /// The size it has.
        got: usize,
        /// The number that must divide it.
        divisor: usize,
        /// Where the divisor comes from.
        because: &'static str,
    },
    /// An axis is 0. Only the batch may be.
    #[error("{operand} axis {axis} is 0, expected at least 1")]
    EmptyAxis {
        /// The operand's name.
        operand: &'static str,
        /// The axis, counted from 0.
        axis: usize,
    },
    /// A stride or a dilation is 0.
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
    /// A size exceeds the range of the kernels' integers, or a limit of the device on textures or grids.
    #[error("{what} is {got}, which is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size, saturated at the range of u64.
        got: u64,
        /// The largest size allowed.
        limit: u64,
    },
    /// A part of an operand that no plan can cut exceeds what one step can bind or loop over.
    #[error("{what} takes {bytes} bytes, over the {limit} that one step can work on")]
    BindingTooLarge {
        /// The part, for example `"one input channel"`.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The most bytes that one step can work on: the device's binding limit less the alignment of the start, or
        /// less if a loop would be too long.
        limit: u64,
    },
    /// A buffer would exceed the device's `max_buffer_size`.
    #[error("a buffer of {bytes} bytes is over the device's max_buffer_size of {limit}")]
    BufferTooLarge {
        /// The size asked for.
        bytes: u64,
        /// The device's limit.
        limit: u64,
    },
    /// `workspace_limit` cannot hold the smallest chunk of the work.
    #[error("the workspace_limit is {got} bytes, expected at least {needed}")]
    WorkspaceTooSmall {
        /// The bytes that the smallest chunk needs.
        needed: u64,
        /// The limit.
        got: u64,
    },
    /// A limit makes the call slow, and `refuse_slow` asks for an error then.
    #[error("{algorithm} would be slow here: {}", reasons.join("; "))]
    Slow {
        /// The algorithm.
        algorithm: String,
        /// The limits, and what they lead to.
        reasons: Vec<String>,
    },
    /// The chosen algorithm cannot compute this geometry on this device.
    #[error("{algorithm} cannot be used here: {reason}")]
    Unsuitable {
        /// The algorithm.
        algorithm: String,
        /// The cause.
        reason: String,
    },
    /// The workspace limit or the device's bindings are so small that the plan would have too many dispatches.
    #[error(
        "the plan would have at least {steps} steps, over the limit of {limit}: a larger workspace_limit, or larger bindings, need fewer"
    )]
    TooManySteps {
        /// The number of dispatches at which planning stopped; the whole plan may have more.
        steps: u64,
        /// The largest number that a plan may have.
        limit: u64,
    },
    /// The number of elements differs from the product of the shape.
    #[error("shape {shape:?} has {expected} elements, got {got}")]
    ElementCount {
        /// The shape.
        shape: Vec<usize>,
        /// Its product.
        expected: usize,
        /// The number of elements given.
        got: usize,
    },
    /// An operand has a different element type from the one that the call takes.
    #[error("{operand} stores {got}, expected {expected}")]
    Dtype {
        /// The operand's name.
        operand: &'static str,
        /// The element type that the call takes.
        expected: Dtype,
        /// The operand's element type.
        got: Dtype,
    },
    /// An operand belongs to a different device from the operator's, or to a [`Gpu`](crate::Gpu) handle that is not a
    /// clone of the operator's.
    #[error(
        "{operand} belongs to a different device from the operator's, or to a Gpu from another call of Gpu::from_wgpu: call it once per device and clone the Gpu"
    )]
    OtherDevice {
        /// The operand's name.
        operand: &'static str,
    },
    /// An output shares its buffer with another operand. WebGPU does not allow a dispatch to read and write one buffer.
    #[error("{operand} is written but shares its buffer with {other}")]
    Aliased {
        /// The operand written.
        operand: &'static str,
        /// The operand it shares its buffer with.
        other: &'static str,
    },
    /// A caller's buffer is unsuitable for a tensor, or for what is done with it.
    #[error("the tensor's buffer is unsuitable: {reason}")]
    UnsuitableBuffer {
        /// The cause: usage, size or alignment, with the numbers.
        reason: String,
    },
    /// A caller's texture cannot be read or written in the way that the call needs.
    #[error("the texture is unsuitable: {reason}")]
    UnsuitableTexture {
        /// The cause: format, usage or size, with the numbers.
        reason: String,
    },
    /// The device did not finish within the wait timeout.
    #[error("the device did not finish within {timeout:?}")]
    Timeout {
        /// The timeout.
        timeout: Duration,
    },
    /// A tuning file cannot be read or written, or the data is not a tuning file.
    #[error("tuning: {reason}")]
    Tuning {
        /// The file or line, and the cause.
        reason: String,
    },
    /// The device has no such feature, or the caller did not request it.
    #[error("the device lacks the feature {feature}")]
    MissingFeature {
        /// wgpu's name of the feature.
        feature: &'static str,
    },
    /// wgpu reported an error.
    #[error("{cause}: {message}")]
    Device {
        /// The kind of error.
        cause: DeviceError,
        /// wgpu's message.
        message: String,
    },
}

/// The kinds of errors that wgpu reports, so that a program can tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceError {
    /// The device has no memory for the object. With less in use or smaller calls it goes on.
    OutOfMemory,
    /// The device is lost, and everything on it. A program that goes on makes a new [`Gpu`](crate::Gpu).
    Lost,
    /// wgpu refused the call: an object of another device, a destroyed one, or a mistake of this crate.
    Validation,
    /// The driver failed, or the system.
    Internal,
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "out of device memory",
            Self::Lost => "the device is lost",
            Self::Validation => "wgpu's validation",
            Self::Internal => "wgpu",
        })
    }
}
