// Samples four channels at a time from the packed input. Zeros surround every plane of it and stand for what lies
// outside the image. The kernel that uses this file declares `params`, `offset`, `mask` and `packed_input`.

//@ uses shared/taps shared/bilinear

/// One tap of one output pixel: where it samples every channel of a segment, and how the corners count.
struct Tap {
    /// The texel of the corner (y0, x0) in the texture's first plane.
    corner: vec2<u32>,
    /// The weights of the corners (y0, x0) (y0, x1) (y1, x0) (y1, x1), times the mask.
    weight: vec4<f32>,
}

/// `plane` is the start of the (offset group, tap) plane of the mask, and `whole` is the whole-number part of the
/// position (x, y).
fn tap_at(plane: u32, pixel: u32, whole: vec2<i32>) -> Tap {
    let at = params.offset_base + 2u * plane + pixel;
    let moved_to = moved(whole, at);
    var scale = 1.0;
    if params.has_mask != 0u {
        scale = read_mask(params.mask_base + plane + pixel);
    }
    let position = position_at(moved_to.y, moved_to.x, params.geometry.in_height, params.geometry.in_width);
    // A sample outside reads the two zero columns on the right of the plane. Its mask still counts, and may be NaN.
    let nowhere = vec2<u32>(params.geometry.in_width + 1u, 0u);
    return Tap(select(nowhere, vec2<u32>(position.corner + 1), position.inside), scale * position.weight);
}

/// Samples four channels of the input. `row` is the first row of the pack's plane.
fn sample(tap: Tap, row: u32) -> vec4<f32> {
    let at = tap.corner + vec2<u32>(0u, row);
    if !DEFORMED {
        return textureLoad(packed_input, at);
    }
    return tap.weight.x * textureLoad(packed_input, at)
        + tap.weight.y * textureLoad(packed_input, at + vec2<u32>(1u, 0u))
        + tap.weight.z * textureLoad(packed_input, at + vec2<u32>(0u, 1u))
        + tap.weight.w * textureLoad(packed_input, at + vec2<u32>(1u, 1u));
}
