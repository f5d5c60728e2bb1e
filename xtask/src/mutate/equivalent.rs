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

pub(super) const EQUIVALENT: &[Equivalent] = &[
    equivalent(
        "shaders/forward/im2col.wgsl",
        "|| first > end {",
        "If first == end, the loop behind this return has no iteration.",
    ),
    equivalent(
        "shaders/forward/matmul.wgsl",
        "k_start <= params.depth; k_start += TILE_K) {",
        "One more tile, which is all zeros.",
    ),
    equivalent(
        "shaders/forward/matmul.wgsl",
        "weight_row <= params.rows && k_start + weight_k < params.depth {",
        "Fills one more row or column of the tile, whose outputs are not stored.",
    ),
    equivalent(
        "shaders/forward/matmul.wgsl",
        "columns_column <= params.columns_width && k_start + columns_k < params.depth {",
        "Fills one more row or column of the tile, whose outputs are not stored.",
    ),
    equivalent(
        "shaders/activation/activate.wgsl",
        "if number > params.elements {",
        "The binding ends with the step's elements, and WebGPU allows no access behind a binding.",
    ),
    equivalent(
        "shaders/activation/grad_activation.wgsl",
        "if number > params.elements {",
        "The binding ends with the step's elements, and WebGPU allows no access behind a binding.",
    ),
    equivalent(
        "shaders/optimizer/adam.wgsl",
        "if number > params.elements {",
        "The binding ends with the step's elements, and WebGPU allows no access behind a binding.",
    ),
    equivalent(
        "shaders/optimizer/sgd.wgsl",
        "if number > params.elements {",
        "The binding ends with the step's elements, and WebGPU allows no access behind a binding.",
    ),
    equivalent(
        "shaders/shift/channel_shift.wgsl",
        "if number > params.elements {",
        "The binding ends with the step's elements, and WebGPU allows no access behind a binding.",
    ),
    equivalent(
        "shaders/statistics/magnitude.wgsl",
        "for (var n = slice; n <= params.elements; n += SLICES) {",
        "The binding ends with the step's elements, and WebGPU allows no access behind a binding.",
    ),
    equivalent(
        "shaders/statistics/reduce.wgsl",
        "for (var slice = 0u; slice <= SLICES; slice++) {",
        "The binding ends with the step's elements, and WebGPU allows no access behind a binding.",
    ),
    equivalent(
        "shaders/statistics/magnitude.wgsl",
        "if slice > SLICES {",
        "The first grid has exactly SLICES invocations. The second is one workgroup, of which only lane 0 passes either way.",
    ),
    equivalent(
        "shaders/statistics/reduce.wgsl",
        "* WORKGROUP_SIZE - lane > 0u {",
        "The first grid has exactly SLICES invocations. The second is one workgroup, of which only lane 0 passes either way.",
    ),
    equivalent(
        "shaders/sort/count.wgsl",
        "if number > params.groups * params.partitions {",
        "One more partition counts behind the others or, where the buffer ends, into the last counter. Nobody reads either.",
    ),
    equivalent(
        "shaders/activation/activate.wgsl",
        "select(1.0, e, value <= 0.0);",
        "Both branches give the same value at 0.",
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "u32(at.y) <= out_height && out_pixel < params.pixels;",
        "The row below the last one lies in no window, which the second condition excludes.",
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "let channels = params.segment_channels - (params.pack_start + in_segment) + 4u;",
        "The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a data race, which no CPU driver shows.",
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "let channels = params.segment_channels - (params.pack_start - in_segment) * 4u;",
        "The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a data race, which no CPU driver shows.",
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "let channels = params.segment_channels + (params.pack_start + in_segment) * 4u;",
        "The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a data race, which no CPU driver shows.",
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "if channels >= 1u { grad_input[to + size] += sum.y; }",
        "The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a data race, which no CPU driver shows.",
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "if channels >= 2u { grad_input[to + 2u * size] += sum.z; }",
        "The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a data race, which no CPU driver shows.",
    ),
    equivalent(
        "shaders/backward/col2im.wgsl",
        "if channels >= 3u { grad_input[to + 3u * size] += sum.w; }",
        "The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a data race, which no CPU driver shows.",
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
