// Samples four channels at a time from the packed input in a texture. Zeros surround every plane of it and stand for what
// lies outside the image. The kernel that uses this file declares `params` and `packed_input`.

//@ uses shared/bilinear shared/packed_planes

/// One tap of one output pixel: where it samples every channel of a segment, and how the corners count.
struct Tap {
    /// The texel of the corner (y0, x0) in the first pack's plane.
    corner: vec2<u32>,
    /// The weights of the corners (y0, x0) (y0, x1) (y1, x0) (y1, x1), times the mask.
    weight: vec4<f32>,
}

/// Returns the first row of an image in a plane.
fn image_start(image: u32) -> u32 {
    return image * (params.geometry.in_height + 1u);
}

/// Returns the corner of a sample that is 0: it reads the two zero columns on the right of the plane. Its mask still
/// counts, and may be NaN.
fn nowhere() -> vec2<u32> {
    return vec2<u32>(params.geometry.in_width + 1u, 0u);
}

/// Returns the tap at a position (x, y) of the image that starts at `start`. `scale` is its mask.
fn tap_in(start: u32, moved_to: vec2<f32>, scale: f32) -> Tap {
    let position = position_at(moved_to.y, moved_to.x, params.geometry.in_height, params.geometry.in_width);
    let corner = vec2<u32>(position.corner + 1) + vec2<u32>(0u, start);
    return Tap(select(nowhere(), corner, position.inside), scale * position.weight);
}

/// Samples four channels of the input. `plane` is the first texel of the pack's plane.
fn sample(tap: Tap, plane: vec2<u32>) -> vec4<f32> {
    let at = tap.corner + plane;
    if !DEFORMED {
        return textureLoad(packed_input, at);
    }
    return tap.weight.x * textureLoad(packed_input, at)
        + tap.weight.y * textureLoad(packed_input, at + vec2<u32>(1u, 0u))
        + tap.weight.z * textureLoad(packed_input, at + vec2<u32>(0u, 1u))
        + tap.weight.w * textureLoad(packed_input, at + vec2<u32>(1u, 1u));
}
