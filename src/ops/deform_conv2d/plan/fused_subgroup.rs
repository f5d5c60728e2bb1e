//! The fused algorithm for subgroups of 8: pack the weight once and each image's input, then sample straight into the product.
//!
//! The packed input of a whole image is one texture where it fits; else the image is worked on in chunks of
//! segments, or of one segment's packs, and what comes after a weight group's first channels adds to the output.

use super::images::ImageStrides;
use super::packed_input::{self, Chunk, PACK};
use super::{Len, binding_too_large, push, unsuitable};
use crate::kernel::forward::{fused_subgroup, pack_weight};
use crate::kernel::{Kernel, Params, Storage};
use crate::ops::deform_conv2d::{Algorithm, Geometry, Options};
use crate::plan::{DeviceLimits, MAX_LOOP_STEPS, Plan, Scratch, Size, Step, Window};
use crate::{Error, Result};

pub(super) struct FusedSubgroup<'a> {
    geometry: &'a Geometry,
    limits: &'a DeviceLimits,
    /// Channels of a segment.
    segment_channels: u64,
    /// Packs of a segment.
    packs: u64,
    segments_per_group: u64,
    segments_per_offset_group: u64,
    packed_weight: Scratch,
    /// Segments and packs of each segment that a chunk holds: all packs where there are several segments.
    segments_per_chunk: u64,
    packs_per_chunk: u64,
}

impl<'a> FusedSubgroup<'a> {
    pub(super) fn new(geometry: &'a Geometry, options: &Options, limits: &'a DeviceLimits) -> Result<Self> {
        let g = geometry;
        if limits.subgroup_size != fused_subgroup::SUBGROUP_SIZE {
            let got = limits.subgroup_size;
            return Err(unsuitable(
                Algorithm::FusedSubgroup,
                format!("the device's subgroups have {got} lanes (0: unknown), not {}", fused_subgroup::SUBGROUP_SIZE),
            ));
        }
        let segment_channels = g.segment_channels() as u64;
        let packs = segment_channels.div_ceil(PACK);
        let segments_per_group = g.channels_per_group() as u64 / segment_channels;
        let taps = g.taps() as u64;
        let window = limits.max_operand_elements(g.storage);
        let out_pixels = g.out_pixels() as u64;
        let bound = [
            ("the weight", g.weight_elements() as u64),
            ("one image's offset", g.offset_elements() as u64),
            ("one image's output", g.out_channels as u64 * out_pixels),
            ("one pack of input channels", PACK.min(segment_channels) * g.in_pixels() as u64),
        ];
        if let Some((what, elements)) = bound.into_iter().find(|&(_, elements)| elements > window) {
            return Err(binding_too_large(what, g.storage, elements, window));
        }
        let axis = limits.max_texture_axis;
        let weight_rows = segments_per_group * taps * packs;
        let width = g.in_width as u64 + 3;
        let plane_rows = g.in_height as u64 + 1;
        for (what, got) in [
            ("output channels", g.out_channels as u64),
            ("rows of the packed weight", weight_rows),
            ("columns of the packed input", width),
            ("rows of the packed input", plane_rows + 1),
        ] {
            if got > axis {
                return Err(unsuitable(
                    Algorithm::FusedSubgroup,
                    format!("{got} {what}, over the {axis} of a texture's axis"),
                ));
            }
        }
        let packed_weight = Scratch { name: "packed_weight", size: Size::Texels([g.out_channels as u64, weight_rows]) };

        // Planes are limited by memory, by the texture's axis, by what one binding holds of the input, and by the loop.
        let texture = |planes: u64| packed_input::texture(g, planes);
        // In f16 a chunk holds whole weight groups: the output cannot carry partial sums from one chunk to the next.
        let uncut = g.storage != Storage::F32;
        let least_planes = if uncut { segments_per_group * packs } else { 1 };
        let needed = packed_weight.bytes() + texture(least_planes).bytes();
        if needed > options.workspace_limit {
            return Err(Error::WorkspaceTooSmall { needed, got: options.workspace_limit });
        }
        let plane_bytes = texture(1).bytes() - texture(0).bytes();
        let planes = [
            least_planes + (options.workspace_limit - needed) / plane_bytes,
            (axis - 1) / plane_rows,
            (window / g.in_pixels() as u64 / PACK).max(1),
        ];
        let planes = planes.into_iter().min().unwrap_or(1);
        // What is left of them once the outputs are stored.
        let loop_steps = MAX_LOOP_STEPS - loop_steps(0, 0, 0);
        // The packs of one segment, and the segments of one group, that the loops of one invocation may walk.
        let walkable_packs = (loop_steps / taps).saturating_sub(2);
        if walkable_packs == 0 {
            return Err(unsuitable(
                Algorithm::FusedSubgroup,
                format!("{taps} taps, over the {} that one loop may count", loop_steps / 3),
            ));
        }
        let packs_per_chunk = packs.min(planes).min(walkable_packs);
        let segments_per_chunk = if packs_per_chunk < packs {
            1
        } else {
            let walkable = loop_steps / (taps * (2 + packs));
            let walkable = if walkable >= segments_per_group { u64::MAX } else { walkable };
            (planes / packs).min(walkable).min(g.in_channels as u64 / segment_channels)
        };
        let segments_per_chunk = if uncut {
            let groups_per_chunk = segments_per_chunk / segments_per_group;
            if packs_per_chunk < packs || groups_per_chunk == 0 {
                return Err(unsuitable(
                    Algorithm::FusedSubgroup,
                    format!(
                        "a weight group of {} channels is cut, which f16 outputs cannot be",
                        g.channels_per_group()
                    ),
                ));
            }
            groups_per_chunk * segments_per_group
        } else {
            segments_per_chunk
        };
        Ok(Self {
            geometry,
            limits,
            segment_channels,
            packs,
            segments_per_group,
            segments_per_offset_group: g.channels_per_offset_group() as u64 / segment_channels,
            packed_weight,
            segments_per_chunk,
            packs_per_chunk,
        })
    }

    pub(super) fn plan(&self) -> Result<Plan> {
        let packed_input = packed_input::texture(self.geometry, self.segments_per_chunk * self.packs_per_chunk);
        let mut steps = vec![self.pack_weight()?];
        for image in 0..self.geometry.batch as u64 {
            for chunk in self.chunks() {
                push(
                    &mut steps,
                    packed_input::pack(
                        self.geometry,
                        self.limits,
                        self.segment_channels,
                        image,
                        &chunk,
                        &packed_input,
                    )?,
                )?;
                push(&mut steps, self.fused(image, &chunk, &packed_input)?)?;
            }
        }
        Ok(Plan { steps, weight_steps: 1, scratch: vec![self.packed_weight, packed_input], ..Plan::default() })
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk> {
        let segments = self.geometry.in_channels as u64 / self.segment_channels;
        Chunk { segments: 0..segments, packs: 0..self.packs }.split(self.segments_per_chunk, self.packs_per_chunk)
    }

    fn pack_weight(&self) -> Result<Step> {
        let g = self.geometry;
        let row_stride = (g.channels_per_group() * g.taps()) as u64;
        let (weight, _) = self.limits.operand_window(g.storage, "weight", 0, g.weight_elements() as u64);
        let params = pack_weight::Params {
            segment_channels: self.segment_channels,
            packs: self.packs,
            taps: g.taps() as u64,
            row_stride,
            texture_width: g.out_channels as u64,
            texels: self.packed_weight.texels(),
        };
        self.step(
            &pack_weight::KERNEL,
            params,
            vec![weight, self.packed_weight.window()],
            self.packed_weight.texels().div_ceil(pack_weight::KERNEL.workgroup_size),
        )
    }

    fn fused(&self, image: u64, chunk: &Chunk, packed_input: &Scratch) -> Result<Step> {
        let g = self.geometry;
        let out_pixels = g.out_pixels() as u64;
        let rows = g.out_channels_per_group() as u64;
        let (kernel, out_channels) = fused_kernel(rows);
        let groups =
            chunk.segments.start / self.segments_per_group..(chunk.segments.end - 1) / self.segments_per_group + 1;
        let pixel_blocks = out_pixels.div_ceil(fused_subgroup::SUBGROUP_SIZE * fused_subgroup::PIXELS_PER_INVOCATION);
        let row_blocks = rows.div_ceil(out_channels);
        let blocks = pixel_blocks * row_blocks * groups.len();
        let walked = chunk.segments.len().min(self.segments_per_group);
        let loop_steps = loop_steps(walked, g.taps() as u64, chunk.packs.len());
        assert!(loop_steps <= MAX_LOOP_STEPS, "a loop that Mesa would cut short");

        let windows = ImageStrides::new(g).windows(g, self.limits, &(image..image + 1));
        let params = fused_subgroup::Params {
            geometry: g.tap_geometry(),
            segments_per_group: self.segments_per_group,
            segments_per_offset_group: self.segments_per_offset_group,
            segment_start: chunk.segments.start,
            segment_end: chunk.segments.end,
            packs: self.packs,
            pack_start: chunk.packs.start,
            pack_end: chunk.packs.end,
            rows,
            row_blocks,
            pixel_blocks,
            group_start: groups.start,
            blocks,
            offset_base: windows.offset.1,
            mask_base: windows.mask.1,
            output_base: windows.output.1,
            has_mask: u64::from(g.has_mask),
            has_bias: u64::from(g.has_bias),
        };
        let textures = [packed_input.window(), self.packed_weight.window()];
        let operands = [windows.offset.0, windows.mask.0, windows.bias, windows.output.0];
        self.step(kernel, params, [textures.as_slice(), &operands].concat(), blocks)
    }

    fn step<P: Params>(
        &self,
        kernel: &'static Kernel,
        params: P,
        windows: Vec<Window>,
        workgroups: u64,
    ) -> Result<Step> {
        self.limits.step(kernel, self.geometry.specialization(), params, windows, workgroups)
    }
}

/// Loop steps of one invocation for `segments` segments of `packs` packs each, and for the outputs to store.
const fn loop_steps(segments: u64, taps: u64, packs: u64) -> u64 {
    let stores = fused_subgroup::PIXELS_PER_INVOCATION * fused_subgroup::OUT64.out_channels;
    1 + segments * taps * (2 + packs) + 1 + stores
}

/// The variant that does `rows` output channels of a weight group in the least time, and how many it does at once.
fn fused_kernel(rows: u64) -> (&'static Kernel, u64) {
    // A block of 32 samples as much as one of 64 and multiplies half as much: measured, it takes 0.6 of the time.
    let (cost_of_64, cost_of_32) = (10 * rows.div_ceil(64), 6 * rows.div_ceil(32));
    if cost_of_32 < cost_of_64 { (&fused_subgroup::OUT32.kernel, 32) } else { (&fused_subgroup::OUT64.kernel, 64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_is_a_turn_with_a_loop_over_its_packs_and_each_output_is_stored() {
        assert_eq!(loop_steps(3, 9, 5), 3 * 9 * (1 + (5 + 1)) + 1 + 256 + 1);
    }
}
