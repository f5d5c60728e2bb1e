//! The changes that do not change any result.

/// A change, and the reason that no test can notice it.
pub(super) struct Equivalent {
    /// The shader file.
    pub(super) file: &'static str,
    /// The end of the changed line.
    pub(super) end: &'static str,
    pub(super) reason: &'static str,
}

const fn equivalent(file: &'static str, end: &'static str, reason: &'static str) -> Equivalent {
    Equivalent { file, end, reason }
}

const BEHIND_THE_BINDING: &str =
    "The binding ends with the step's elements, and WebGPU allows no access behind a binding.";
const FILLED_UP: &str = "The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a \
    data race, which no CPU driver shows.";
const BEHIND_THE_PLANES: &str =
    "The binding ends with the tensor's last plane, and WebGPU allows no access behind a binding.";
const WHOLE_GRID: &str = "The grid has exactly SLICES invocations.";

const PADDING: &str = "The padding pixel behind the last adds 0 · another pixel's value: 0, or what is not finite where the \
    answer is not finite either way.";

const EXACT_QUOTIENT: &str = "A driver that rounds a quotient correctly, as CPU drivers do, never gets one that is off. WGSL \
    lets it be off by 2.5 units of its last place.";

pub(super) const EQUIVALENT: &[Equivalent] = &[
    equivalent(
        "shaders/forward/matmul.wgsl",
        "k_start <= params.depth; k_start += TILE_K) {",
        "One more tile, which is all zeros.",
    ),
    equivalent("shaders/activation/grad_activation.wgsl", "if number > params.elements {", BEHIND_THE_BINDING),
    equivalent("shaders/optimizer/adam.wgsl", "if number > params.elements {", BEHIND_THE_BINDING),
    equivalent("shaders/optimizer/sgd.wgsl", "if number > params.elements {", BEHIND_THE_BINDING),
    equivalent(
        "shaders/statistics/magnitude.wgsl",
        "for (var n = slice; n <= params.elements; n += SLICES) {",
        BEHIND_THE_BINDING,
    ),
    equivalent(
        "shaders/statistics/reduce.wgsl",
        "for (var slice = 0u; slice <= SLICES; slice++) {",
        BEHIND_THE_BINDING,
    ),
    equivalent("shaders/statistics/magnitude.wgsl", "if slice > SLICES {", WHOLE_GRID),
    equivalent(
        "shaders/sort/count.wgsl",
        "if number > params.groups * params.partitions {",
        "One more partition counts behind the others or, where the buffer ends, into the last counter. \
         Nobody reads either.",
    ),
    equivalent(
        "shaders/activation/activate.wgsl",
        "select(1.0, e, value <= 0.0);",
        "Both branches give the same value at 0.",
    ),
    equivalent(
        "shaders/backward/depthwise_gradient.wgsl",
        "let tap = about - u32(rest >= i32(params.padded_pixels)) - u32(rest < 0);",
        EXACT_QUOTIENT,
    ),
    equivalent(
        "shaders/backward/depthwise_gradient.wgsl",
        "let tap = about + u32(rest > i32(params.padded_pixels)) - u32(rest < 0);",
        EXACT_QUOTIENT,
    ),
    equivalent(
        "shaders/backward/depthwise_gradient.wgsl",
        "let tap = about + u32(rest >= i32(params.padded_pixels)) + u32(rest < 0);",
        EXACT_QUOTIENT,
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "let channels = params.segment_channels - (params.pack_start + in_segment) + 4u;",
        FILLED_UP,
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "let channels = params.segment_channels - (params.pack_start - in_segment) * 4u;",
        FILLED_UP,
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "let channels = params.segment_channels + (params.pack_start + in_segment) * 4u;",
        FILLED_UP,
    ),
    equivalent(
        "shaders/shared/half_bits.wgsl",
        "let number = select(normal, subnormal, magnitude <= 0x38800000u);",
        "Both numbers are right for 2⁻¹⁴.",
    ),
    equivalent("shaders/statistics/offset_magnitude.wgsl", "if slice > SLICES {", WHOLE_GRID),
    equivalent(
        "shaders/texture/load.wgsl",
        "if params.channels >= 2u { write_output(pixel + 2u * params.pixels, texel.z); }",
        BEHIND_THE_PLANES,
    ),
    equivalent(
        "shaders/sort/scan.wgsl",
        "if group > params.groups {",
        "Only a folded grid has one more workgroup. Its counters lie behind those of the groups, where nobody reads \
         them, or behind the end of the binding, where WebGPU allows no access.",
    ),
    equivalent(
        "shaders/sort/scatter.wgsl",
        "if number > params.groups * params.partitions {",
        "One more partition. Its counters and its order lie behind those of the groups, where nobody reads them, or \
         behind the ends of the bindings, where WebGPU allows no access.",
    ),
    equivalent(
        "shaders/convolution/pack_input.wgsl",
        "let end = min(row - ROWS_PER_INVOCATION, params.texture_height);",
        "The invocations of row 0 wrap around and write all rows. Those of the other rows write none.",
    ),
    equivalent(
        "shaders/convolution/pack_input.wgsl",
        "for (; row <= end; row++) {",
        "One more row, to which the next invocation writes the same, or which lies outside the texture, where a store \
         has no effect.",
    ),
    equivalent(
        "shaders/forward/pack_weight.wgsl",
        "if number > params.texels {",
        "One more texel, in the row below the texture, where a store has no effect.",
    ),
    equivalent("shaders/forward/pack_weight_rows.wgsl", "if at > params.packs {", BEHIND_THE_BINDING),
    equivalent("shaders/convolution/pack_planes.wgsl", "if number > params.elements {", BEHIND_THE_BINDING),
    equivalent(
        "shaders/forward/reduce.wgsl",
        "for (var split = 0u; split <= params.splits; split++) {",
        "The partial sums of one more split lie behind the end of the binding, where a driver with robust buffers \
         reads 0.",
    ),
    equivalent("shaders/backward/fill_zero.wgsl", "if number <= params.elements {", BEHIND_THE_BINDING),
    equivalent("shaders/backward/grad_bias.wgsl", "if number > params.invocations {", BEHIND_THE_BINDING),
    equivalent(
        "shaders/backward/grad_weight_reduce.wgsl",
        "let end_tap = min(tap - TAPS_PER_INVOCATION, params.taps);",
        "The invocations of tap 0 wrap around and add up all taps. Those of the other taps add up none.",
    ),
    equivalent(
        "shaders/backward/pack_grad_output.wgsl",
        "let end = min(pack_of_part - PACKS_PER_INVOCATION, params.part_packs);",
        "The invocations of pack 0 wrap around and write all packs. Those of the other packs write none.",
    ),
    equivalent(
        "shaders/backward/grad_column.wgsl",
        "let busy = number <= params.workgroups;",
        "Only a folded grid has one more workgroup. Its packs lie behind the last, and it stores nothing.",
    ),
    equivalent(
        "shaders/backward/grad_input.wgsl",
        "let channel = (params.pack_start - number % params.segment_packs) * 4u;",
        FILLED_UP,
    ),
    equivalent(
        "shaders/backward/grad_input.wgsl",
        "select(0u, params.segment_channels + channel, number < pack_end),",
        FILLED_UP,
    ),
    equivalent(
        "shaders/backward/grad_input.wgsl",
        "let busy = number <= pack_end;",
        "The pack behind the last has no channels, so nothing of it is stored.",
    ),
    equivalent(
        "shaders/backward/grad_input.wgsl",
        "let cells = select(0u, params.in_width + 1u, next <= last);",
        "A row without entries adds zeros.",
    ),
    equivalent(
        "shaders/backward/grad_weight.wgsl",
        "let busy = number <= params.workgroups;",
        "Only a folded grid has one more workgroup. Its sums lie behind those of the step, where nobody reads them.",
    ),
    equivalent(
        "shaders/backward/grad_weight.wgsl",
        "let end_iteration = min(first_iteration - params.iterations_per_split, params.pixel_blocks * ITERATIONS_PER_BLOCK);",
        "Split 0 wraps around and sums all iterations. The others sum none.",
    ),
    equivalent(
        "shaders/backward/grad_weight_depthwise.wgsl",
        "let busy = segment <= params.segments;",
        "Only a folded grid reaches one more segment. Its sums lie behind those of the step, where nobody reads them.",
    ),
    equivalent(
        "shaders/backward/grad_weight_depthwise.wgsl",
        "let there = busy && pack <= params.segment_packs && row < params.rows;",
        "A step that lacks the last packs of its segment has one segment. The sums of one more pack lie behind those of \
         the step, where nobody reads them.",
    ),
    equivalent(
        "shaders/backward/pack_weight_columns.wgsl",
        "let end = min(tap - TAPS_PER_INVOCATION, params.taps);",
        "The invocations of tap 0 wrap around and write all taps. Those of the other taps write none.",
    ),
    equivalent(
        "shaders/backward/pack_weight_columns.wgsl",
        "for (; tap <= end; tap++) {",
        "One more tap, to which the next invocation writes the same, or which lies behind the last.",
    ),
    equivalent("shaders/backward/sum_slices.wgsl", "if number > params.elements {", BEHIND_THE_BINDING),
    equivalent("shaders/backward/pack_grad_output.wgsl", "if pixel <= params.pixels {", PADDING),
    equivalent("shaders/backward/pack_taps.wgsl", "let real = padded <= params.pixels;", PADDING),
    equivalent(
        "shaders/backward/pack_taps.wgsl",
        "let busy = number <= params.invocations;",
        "The invocation behind the last writes taps behind those of the part, where nobody reads them.",
    ),
    equivalent(
        "shaders/backward/pack_taps.wgsl",
        "let number_of_pixel = params.first_pixel + min(padded, params.pixels + 1u);",
        "Padding pixels read another pixel's offset and mask, which are replaced.",
    ),
    equivalent(
        "shaders/convolution/copy_rows.wgsl",
        "if plane > params.planes {",
        "Only a folded grid reaches one more plane, which lies behind the ends of the bindings.",
    ),
    equivalent(
        "shaders/convolution/copy_rows.wgsl",
        "let end = min(first - WORKGROUP_SIZE * ELEMENTS_PER_INVOCATION, params.run);",
        "The first invocations wrap around and copy the whole run. The others copy nothing.",
    ),
    equivalent(
        "shaders/convolution/pack_weight_depthwise.wgsl",
        "if texel > params.texels {",
        "One more texel, behind the others, where nobody reads it.",
    ),
    equivalent(
        "shaders/forward/fused_subgroup.wgsl",
        "let busy = number <= params.blocks;",
        "Only a folded grid has one more block. Its outputs lie behind the end of the binding, or a later step \
         overwrites them.",
    ),
    equivalent(
        "shaders/forward/direct.wgsl",
        "for (var o = first; o <= end; o++) {",
        "The sum of one more output channel is not stored.",
    ),
    equivalent(
        "shaders/forward/direct.wgsl",
        "if wanted * params.channels_per_offset_group != offset_group {",
        "It only computes the same position again.",
    ),
    equivalent(
        "shaders/forward/depthwise.wgsl",
        "let busy = pixel_number < params.pixels && segment <= params.segments;",
        "Only a folded grid reaches one more segment. Its outputs lie behind the end of the binding, or a later step \
         overwrites them.",
    ),
    equivalent(
        "shaders/forward/depthwise.wgsl",
        "let there = busy && pack <= params.segment_packs && row < params.rows;",
        "The pack behind the last lies behind the segment's channels, or a later step overwrites its outputs.",
    ),
    equivalent(
        "shaders/forward/depthwise.wgsl",
        "store(there && params.group_shift <= 2u, segment, output, first + 2u, row, sums.z);",
        "All lanes of a weight group of four hold its sum, so it is stored twice.",
    ),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::EQUIVALENT;
    use crate::mutate::mutants::mutants;

    #[test]
    fn every_equivalent_change_is_one_of_the_shaders() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for known in EQUIVALENT {
            let text = std::fs::read_to_string(root.join(known.file)).unwrap_or_else(|e| panic!("{}: {e}", known.file));
            let found = mutants(&text).iter().filter(|mutant| mutant.changed.ends_with(known.end)).count();
            assert_eq!(found, 1, "changes of {} that end with {:?}", known.file, known.end);
        }
    }
}
