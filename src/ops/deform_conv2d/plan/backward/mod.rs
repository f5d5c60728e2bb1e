//! The backward pass: five gradients, each sum in one order, in windows of pixels and chunks of channels that fit the workspace.
//!
//! ```text
//! for each image, window of output pixels, chunk of input channels:
//!     where the taps lie                                                           for all the others (pack_taps.wgsl)
//!     grad_column = weightᵀ · grad_output                                          a product (grad_column.wgsl)
//!     grad_offset, grad_mask, columns                                              from one read of the corners (grad_offset.wgsl)
//!     taps ordered by the cell they lie in                                         one or two passes of a radix sort (bin_*.wgsl)
//!     grad_input += …                                                              every pixel gathers (grad_input.wgsl)
//!     grad_weight += grad_output · columnsᵀ                                        a product (grad_weight*.wgsl)
//! ```
//!
//! What is not wanted, and what only that needs, is left out. Segments and packs are those of the fused forward algorithm.
//!
//! A depthwise convolution has no products: a gradient of a column is one number of the weight times one of grad_output, and is computed wherever it
//! is needed, and so are the columns. Its segments are the offset groups.

mod depthwise;
mod output;
mod scatter;
mod sizes;
mod steps;
mod tiling;

use std::ops::Range;

use sizes::{Layout, Sizes};

use super::packed_input::{self, Chunk, PACK};
use super::{Len, binding_too_large, push, split};
use crate::kernel::backward::fill_zero;
use crate::kernel::forward::fused_subgroup;
use crate::kernel::shared::window;
use crate::kernel::{Sampling, Storage};
use crate::ops::deform_conv2d::{Algorithm, Geometry, Gradients, Mode, Options};
use crate::plan::{DeviceKind, DeviceLimits, F32_BYTES, Plan, Step};
use crate::{Error, Result};

/// The plan for the gradients of one call. `options.algorithm` chooses only how the products are computed. With [`Algorithm::Auto`] or
/// [`Algorithm::Depthwise`] a depthwise convolution has none, unless its taps lie on the regular grid; otherwise these two use
/// subgroups of 8 where a CPU has them, [`Algorithm::FusedSubgroup`] where any device has them, and every other a way that every device knows.
///
/// # Errors
/// As [`plan`](super::plan), for any algorithm.
pub fn plan_backward(
    geometry: &Geometry,
    modes: &Gradients<Mode>,
    options: &Options,
    limits: &DeviceLimits,
) -> Result<Plan> {
    Backward::new(geometry, modes, options, limits)?.plan()
}

struct Backward<'a> {
    g: &'a Geometry,
    modes: &'a Gradients<Mode>,
    options: &'a Options,
    limits: &'a DeviceLimits,
    /// Whether the products use subgroups of 8.
    subgroups: bool,
    /// Whether the weight is packed once and whole, or for each chunk's channels alone.
    whole_weight: bool,
    layout: Layout,
}

/// What the scratch holds at a point of the plan, so that nothing is made twice.
#[derive(Default)]
struct Held {
    input: Option<(u64, Chunk)>,
    grad_output: Option<(u64, Range<u64>, Chunk)>,
    weight: Option<Chunk>,
    taps: Option<(u64, Range<u64>, Range<u64>)>,
    entries: Option<(u64, Range<u64>, Range<u64>)>,
}

impl<'a> Backward<'a> {
    fn new(
        g: &'a Geometry,
        modes: &'a Gradients<Mode>,
        options: &'a Options,
        limits: &'a DeviceLimits,
    ) -> Result<Self> {
        let eight = limits.subgroup_size == fused_subgroup::SUBGROUP_SIZE;
        if options.algorithm == Algorithm::FusedSubgroup && !eight {
            let got = limits.subgroup_size;
            let reason =
                format!("the device's subgroups have {got} lanes (0: unknown), not {}", fused_subgroup::SUBGROUP_SIZE);
            return Err(super::unsuitable(options.algorithm, reason));
        }
        if options.algorithm == Algorithm::Depthwise && !g.is_depthwise() {
            return Err(super::depthwise::unsuitable(g));
        }
        let subgroups = match options.algorithm {
            Algorithm::FusedSubgroup => true,
            Algorithm::Auto | Algorithm::Depthwise => eight && limits.kind == DeviceKind::Cpu,
            _ => false,
        };
        // The gradient of an ordinary convolution's input is gathered from that of the columns.
        let depthwise = g.is_depthwise()
            && g.sampling == Sampling::Deformed
            && matches!(options.algorithm, Algorithm::Auto | Algorithm::Depthwise);
        let layout = Layout::new(g, depthwise);
        let plan = Self { g, modes, options, limits, subgroups, whole_weight: false, layout };
        Ok(Self { whole_weight: plan.weight_is_small(), ..plan })
    }

    /// Whether the gradient of the columns is needed.
    fn needs_columns_gradient(&self) -> bool {
        self.modes.input.wanted() || self.needs_products()
    }

    /// Whether its products with the corners are.
    fn needs_products(&self) -> bool {
        self.modes.offset.wanted() || self.modes.mask.wanted()
    }

    /// Whether the input is sampled.
    fn needs_samples(&self) -> bool {
        self.needs_products() || self.modes.weight.wanted()
    }

    /// Whether grad_offset has anything to do.
    fn runs_grad_offset(&self) -> bool {
        self.needs_products() || self.stores_columns()
    }

    /// Whether anything reads where taps lie.
    fn needs_taps(&self) -> bool {
        self.needs_order() || self.needs_samples()
    }

    fn plan(&self) -> Result<Plan> {
        let g = self.g;
        self.check_bindings()?;
        let mut steps = self.zeros()?;
        let mut plan = Plan { algorithm: self.name().to_owned(), ..Plan::default() };
        if g.batch > 0 && self.modes.bias.wanted() {
            plan.workspace_bytes = self.bias_bytes();
            for image in 0..g.batch as u64 {
                self.grad_bias(image)?.into_iter().try_for_each(|step| push(&mut steps, step))?;
            }
        }
        if g.batch > 0 && (self.needs_columns_gradient() || self.needs_samples()) {
            let tiling = self.tiling(plan.workspace_bytes)?;
            let sizes = self.sizes(tiling);
            if self.needs_columns_gradient() && self.layout.depthwise {
                push(&mut steps, super::depthwise::pack_weight(g, self.limits, &sizes.scratch("packed_weight"))?)?;
            }
            let mut held = Held::default();
            for image in 0..g.batch as u64 {
                for pixels in split(0..g.out_pixels() as u64, tiling.pixels) {
                    for chunk in self.chunks(tiling) {
                        self.chunk_steps(&mut steps, &mut held, &sizes, image, &pixels, &chunk)?;
                    }
                }
            }
            plan.workspace_bytes = plan.workspace_bytes.max(sizes.partial_bytes);
            plan.scratch = sizes.scratch;
        }
        if plan.memory_bytes() > self.options.workspace_limit {
            let (needed, got) = (plan.memory_bytes(), self.options.workspace_limit);
            return Err(Error::WorkspaceTooSmall { needed, got });
        }
        Ok(Plan { steps, ..plan })
    }

    fn name(&self) -> &'static str {
        match (self.layout.depthwise, self.subgroups) {
            (true, _) => "backward_depthwise",
            (false, true) => "backward_subgroup",
            (false, false) => "backward",
        }
    }

    /// The steps of one chunk of channels, for one window of one image's pixels.
    fn chunk_steps(
        &self,
        steps: &mut Vec<Step>,
        held: &mut Held,
        sizes: &Sizes,
        image: u64,
        pixels: &Range<u64>,
        chunk: &Chunk,
    ) -> Result<()> {
        if self.needs_samples() && held.input.as_ref() != Some(&(image, chunk.clone())) {
            push(
                steps,
                packed_input::pack(
                    self.g,
                    self.limits,
                    self.layout.segment_channels,
                    image,
                    chunk,
                    &sizes.scratch("packed_input"),
                )?,
            )?;
            held.input = Some((image, chunk.clone()));
        }
        let grad_output = (image, pixels.clone(), self.out_channels(chunk));
        if held.grad_output.as_ref() != Some(&grad_output) {
            let pack = self.pack_grad_output(sizes, image, pixels, &grad_output.2)?;
            pack.into_iter().try_for_each(|step| push(steps, step))?;
            held.grad_output = Some(grad_output);
        }
        let taps = (image, pixels.clone(), self.offset_groups(chunk));
        if self.needs_taps() && held.taps.as_ref() != Some(&taps) {
            push(steps, self.pack_taps(sizes, image, pixels, chunk)?)?;
            held.taps = Some(taps.clone());
        }
        let depthwise = self.layout.depthwise;
        if self.needs_columns_gradient() && !depthwise {
            let weight = self.weight_chunk(chunk);
            if held.weight.as_ref() != Some(&weight) {
                push(steps, self.pack_weight(sizes, &weight)?)?;
                held.weight = Some(weight);
            }
            push(steps, self.grad_column(sizes, pixels, chunk)?)?;
        }
        if self.runs_grad_offset() {
            push(steps, self.grad_offset(sizes, image, pixels, chunk)?)?;
        }
        if self.modes.input.wanted() && self.g.sampling == Sampling::Regular {
            push(steps, self.col2im(sizes, image, pixels, chunk)?)?;
        } else if self.modes.input.wanted() {
            if held.entries.as_ref() != Some(&taps) {
                self.order_entries(sizes, pixels, chunk)?.into_iter().try_for_each(|step| push(steps, step))?;
                held.entries = Some(taps);
            }
            for parity in 0..2 {
                push(steps, self.grad_input(sizes, image, pixels, chunk, parity)?)?;
            }
        }
        if self.modes.weight.wanted() {
            let grad_weight = if depthwise {
                self.grad_weight_depthwise(sizes, pixels, chunk)?
            } else {
                self.grad_weight(sizes, pixels, chunk)?
            };
            grad_weight.into_iter().try_for_each(|step| push(steps, step))?;
        }
        Ok(())
    }

    /// Zeros where steps add and the caller does not.
    fn zeros(&self) -> Result<Vec<Step>> {
        let g = self.g;
        let input = (g.batch * g.in_channels * g.in_pixels()) as u64;
        let gradients = [
            ("grad_input", self.modes.input, input),
            ("grad_weight", self.modes.weight, g.weight_elements() as u64),
            ("grad_bias", self.modes.bias, g.out_channels as u64),
        ];
        let mut steps = Vec::new();
        for (name, _, elements) in gradients.into_iter().filter(|(_, mode, _)| *mode == Mode::Write) {
            for part in split(0..elements, self.limits.max_window_elements()) {
                let (window, base) = self.limits.window(name, part.start, part.len());
                let params = window::Params { elements: part.len(), base };
                let blocks = part.len().div_ceil(fill_zero::KERNEL.workgroup_size);
                push(&mut steps, self.limits.step(&fill_zero::KERNEL, Storage::F32, params, vec![window], blocks)?)?;
            }
        }
        Ok(steps)
    }

    /// Slices of the sum of grad_bias: enough for its loop, and to be shared out.
    fn bias_slices(&self) -> u64 {
        64.max((self.g.out_pixels() as u64).div_ceil(crate::plan::MAX_LOOP_STEPS - 1))
    }

    /// Of the partial sums of grad_bias.
    fn bias_bytes(&self) -> u64 {
        self.bias_slices() * self.g.out_channels as u64 * F32_BYTES
    }

    fn check_bindings(&self) -> Result<()> {
        let g = self.g;
        let window = self.limits.max_operand_elements(Storage::F32);
        let out_pixels = g.out_pixels() as u64;
        let bound = [
            ("the weight", g.weight_elements() as u64),
            ("one offset group's offset", (g.offset_elements() / g.offset_groups) as u64),
            ("one pack of output channels", PACK.min(g.out_channels as u64) * out_pixels),
            ("one pack of input channels", 4 * g.in_pixels() as u64),
            ("the partial sums of grad_bias", g.out_channels as u64 * self.bias_slices()),
        ];
        match bound.into_iter().find(|&(_, elements)| elements > window) {
            Some((what, elements)) => Err(binding_too_large(what, Storage::F32, elements, window)),
            None => Ok(()),
        }
    }
}
