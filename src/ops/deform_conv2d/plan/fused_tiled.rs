//! The fused algorithm for GPUs: pack the weight once, then sample straight into the tiles of a product. Where there are too few
//! tiles to fill the device, or a sum too long for one loop, the sum is split, and a last step adds the parts in order.

use std::ops::Range;

use super::images::ImageStrides;
use super::{Len, binding_too_large, push, split};
use crate::kernel::forward::{fused_tiled, pack_weight_rows, reduce};
use crate::kernel::{Specialization, Storage};
use crate::ops::deform_conv2d::{Geometry, Options, Tile};
use crate::plan::{DeviceLimits, F32_BYTES, MAX_LOOP_STEPS, Plan, Scratch, Size, Step, WORKSPACE};
use crate::{Error, Result};

/// Segments' channels in the packed weight are filled up to a multiple of this.
const PADDED_CHANNELS: u64 = 16;
const _: () = {
    let mut n = 0;
    while n < Tile::ALL.len() {
        assert!(PADDED_CHANNELS.is_multiple_of(Tile::ALL[n].variant().tile_k), "a tile would end between two taps");
        n += 1;
    }
};

/// Loop steps of one invocation for one block of a tile's channels: to load samples and weights, and to multiply.
fn loop_steps_per_block(tile: &fused_tiled::Variant) -> u64 {
    let invocations = tile.kernel.workgroup_size;
    let samples = tile.tile_k * (tile.tile_n / 4) / invocations;
    let loads = (tile.tile_k * tile.tile_m / 4).div_ceil(invocations);
    1 + (samples + 1) + (loads + 1) + (tile.tile_k + 1)
}

pub(super) struct FusedTiled<'a> {
    geometry: &'a Geometry,
    limits: &'a DeviceLimits,
    tile: Tile,
    strides: ImageStrides,
    packed_weight: Scratch,
    segments_per_group: u64,
    padded_channels: u64,
    padded_rows: u64,
    /// Parts of the sum, and the (segment, tap, channel block)s of each.
    splits: u64,
    blocks_per_split: u64,
    images_per_step: u64,
    /// Elements of all parts of one image's output; 0 where there is one part, which is the output.
    partial_of_image: u64,
}

impl<'a> FusedTiled<'a> {
    pub(super) fn new(
        geometry: &'a Geometry,
        options: &Options,
        limits: &'a DeviceLimits,
        tile: Tile,
        splits: u32,
    ) -> Result<Self> {
        let g = geometry;
        let variant = tile.variant();
        let window = limits.max_window_elements();
        let segment_channels = g.segment_channels() as u64;
        let segments_per_group = g.channels_per_group() as u64 / segment_channels;
        let padded_channels = segment_channels.next_multiple_of(PADDED_CHANNELS);
        let padded_rows = (g.out_channels_per_group() as u64).next_multiple_of(4);
        let weight_rows = g.groups as u64 * segments_per_group * g.taps() as u64 * padded_channels;
        let packed_elements = weight_rows * padded_rows;
        let largest = packed_elements.max(g.weight_elements() as u64);
        if largest > window {
            return Err(binding_too_large("the packed weight", Storage::F32, largest, window));
        }
        let packed_bytes = packed_elements * F32_BYTES;
        let packed_weight = Scratch { name: "packed_weight", size: Size::Bytes(packed_bytes) };

        // No loop may grow too long, and every split has something to do.
        let blocks = weight_rows / g.groups as u64 / variant.tile_k;
        let steps_per_block = loop_steps_per_block(variant);
        // A tap costs its turn of the outer loop and the entry into the inner one, and has one block at least.
        let blocks_per_loop = (MAX_LOOP_STEPS - 1) / (steps_per_block + 2);
        // The last step adds the parts in one loop.
        let asked = u64::from(splits).clamp(1, MAX_LOOP_STEPS - 1);
        let splits = asked.max(blocks.div_ceil(blocks_per_loop)).min(blocks);
        let blocks_per_split = blocks.div_ceil(splits);
        let splits = blocks.div_ceil(blocks_per_split);

        let strides = ImageStrides::new(g);
        let mut images_per_step = strides.images_per_step(limits)?.min(g.batch as u64);
        // One part needs no place of its own.
        let partial_of_image = if splits > 1 { splits * strides.output } else { 0 };
        if partial_of_image > window {
            return Err(binding_too_large("one image's partial sums", Storage::F32, partial_of_image, window));
        }
        let needed = packed_bytes + partial_of_image * F32_BYTES;
        if needed > options.workspace_limit {
            return Err(Error::WorkspaceTooSmall { needed, got: options.workspace_limit });
        }
        let room = window.min((options.workspace_limit - packed_bytes) / F32_BYTES);
        if let Some(images) = room.checked_div(partial_of_image) {
            images_per_step = images_per_step.min(images);
        }
        Ok(Self {
            geometry,
            limits,
            tile,
            strides,
            packed_weight,
            segments_per_group,
            padded_channels,
            padded_rows,
            splits,
            blocks_per_split,
            images_per_step,
            partial_of_image,
        })
    }

    pub(super) fn plan(&self) -> Result<Plan> {
        let mut steps = vec![self.pack_weight()?];
        for images in split(0..self.geometry.batch as u64, self.images_per_step) {
            push(&mut steps, self.fused(&images)?)?;
            if self.splits > 1 {
                push(&mut steps, self.reduce(&images)?)?;
            }
        }
        let workspace_bytes = self.partial_of_image * self.images_per_step * F32_BYTES;
        Ok(Plan { steps, weight_steps: 1, workspace_bytes, scratch: vec![self.packed_weight], ..Plan::default() })
    }

    fn pack_weight(&self) -> Result<Step> {
        let g = self.geometry;
        let (weight, _) = self.limits.operand_window(g.storage, "weight", 0, g.weight_elements() as u64);
        let packs = self.packed_weight.bytes() / F32_BYTES / 4;
        let params = pack_weight_rows::Params {
            rows: g.out_channels_per_group() as u64,
            padded_rows: self.padded_rows,
            segments_per_group: self.segments_per_group,
            segment_channels: g.segment_channels() as u64,
            padded_channels: self.padded_channels,
            taps: g.taps() as u64,
            packs,
        };
        let workgroups = pack_weight_rows::KERNEL.workgroups(packs);
        let windows = vec![weight, self.packed_weight.window()];
        self.limits.step(&pack_weight_rows::KERNEL, g.storage, params, windows, workgroups)
    }

    fn fused(&self, images: &Range<u64>) -> Result<Step> {
        let g = self.geometry;
        let variant = self.tile.variant();
        let (input, input_base) = self.strides.input(self.limits, images);
        let windows = self.strides.windows(g, self.limits, images);
        let columns = images.len() * g.out_pixels() as u64;
        let column_tiles = columns.div_ceil(variant.tile_n);
        let row_tiles = (g.out_channels_per_group() as u64).div_ceil(variant.tile_m);
        let (output, output_base) = if self.splits > 1 {
            self.limits.window(WORKSPACE, 0, self.partial_of_image * images.len())
        } else {
            windows.output
        };
        let params = fused_tiled::Params {
            geometry: g.tap_geometry(),
            segments_per_group: self.segments_per_group,
            segments_per_offset_group: (g.channels_per_offset_group() / g.segment_channels()) as u64,
            segment_channels: g.segment_channels() as u64,
            padded_channels: self.padded_channels,
            rows: g.out_channels_per_group() as u64,
            padded_rows: self.padded_rows,
            columns,
            column_tiles,
            row_tiles,
            groups: g.groups as u64,
            splits: self.splits,
            blocks_per_split: self.blocks_per_split,
            input_image_stride: self.strides.input,
            offset_image_stride: self.strides.offset,
            mask_image_stride: self.strides.mask,
            output_image_stride: self.strides.output,
            input_base,
            offset_base: windows.offset.1,
            mask_base: windows.mask.1,
            output_base,
            has_mask: u64::from(g.has_mask),
            has_bias: u64::from(g.has_bias),
        };
        let bound = [input, self.packed_weight.window(), windows.offset.0, windows.mask.0, windows.bias, output];
        let workgroups = column_tiles * row_tiles * g.groups as u64 * self.splits;
        let step = self.limits.step(&variant.kernel, g.specialization(), params, bound.to_vec(), workgroups)?;
        // Partial sums keep all their bits.
        Ok(if self.splits > 1 {
            Step { specialization: Specialization { output: Storage::F32, ..step.specialization }, ..step }
        } else {
            step
        })
    }

    fn reduce(&self, images: &Range<u64>) -> Result<Step> {
        let g = self.geometry;
        let windows = self.strides.windows(g, self.limits, images);
        let outputs = images.len() * self.strides.output;
        let (partial, _) = self.limits.window(WORKSPACE, 0, self.partial_of_image * images.len());
        let params = reduce::Params {
            out_channels: g.out_channels as u64,
            out_pixels: g.out_pixels() as u64,
            columns: images.len() * g.out_pixels() as u64,
            outputs,
            splits: self.splits,
            output_base: windows.output.1,
            has_bias: u64::from(g.has_bias),
        };
        let workgroups = reduce::KERNEL.workgroups(outputs);
        let windows = vec![partial, windows.bias, windows.output.0];
        self.limits.step(&reduce::KERNEL, g.storage, params, windows, workgroups)
    }
}
