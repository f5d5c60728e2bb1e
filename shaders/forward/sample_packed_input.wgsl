// Samples four channels of a column from the packed input, for fused_tiled.wgsl, which declares `params`. The planes are
// those of pack_planes.wgsl, so the zeros around them stand for what lies outside the image.

//@ uses shared/bilinear shared/bordered_planes

/// [image, (segment, pack), in_height + 2, in_width + 1], four channels of the pack
@group(0) @binding(1) var<storage, read> packed_input: array<vec4<f32>>;

/// One tap of one column.
struct Tap {
    /// Index of the corner (y0, x0) in the plane of the image's first pack.
    index: u32,
    /// The weights of the corners (y0,x0) (y0,x1) (y1,x0) (y1,x1), times the mask.
    weight: vec4<f32>,
}

/// Returns the tap at a position (x, y) of an image. `scale` is its mask.
fn tap_in(image: u32, moved_to: vec2<f32>, scale: f32) -> Tap {
    let position = position_at(moved_to.y, moved_to.x, params.geometry.in_height, params.geometry.in_width);
    let index = select(NOWHERE, bordered_index(position.corner, params.geometry.in_width), position.inside);
    return Tap(image * params.input_image_stride + index, scale * position.weight);
}

/// Samples a pack of a segment. A pack past the segment's last is 0.
fn sample_pack(tap: Tap, segment: u32, pack: u32) -> vec4<f32> {
    let packs = (params.segment_channels + 3u) / 4u;
    let at = tap.index + (segment * packs + pack) * bordered_size(params.geometry.in_height, params.geometry.in_width);
    var samples = packed_input[at];
    if DEFORMED {
        let below = at + bordered_width(params.geometry.in_width);
        samples = tap.weight.x * samples + tap.weight.y * packed_input[at + 1u] + tap.weight.z * packed_input[below]
            + tap.weight.w * packed_input[below + 1u];
    }
    return select(vec4<f32>(), samples, pack < packs);
}
