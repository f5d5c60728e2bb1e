// Samples four channels at a time from the packed input in a buffer. The planes are those of bordered_planes.wgsl, so the
// zeros around them stand for what lies outside the image. The kernel that uses this file declares `params`.

//@ uses shared/bilinear shared/bordered_planes

/// [image, (segment, pack), in_height + 2, in_width + 1], four channels of the pack, and zeros
@group(0) @binding(1) var<storage, read> packed_input: array<vec4<f32>>;

/// One tap of one output pixel: where it samples every channel of a segment, and how the corners count.
struct Tap {
    /// Index of the corner (y0, x0) in the first pack's plane.
    index: u32,
    /// The weights of the corners (y0, x0) (y0, x1) (y1, x0) (y1, x1), times the mask.
    weight: vec4<f32>,
}

/// Returns the index of an image's first plane.
fn image_start(image: u32) -> u32 {
    return image * params.input_image_stride;
}

/// Returns the index of a pack's plane, counted from the first of the image.
fn plane_at(pack: u32) -> u32 {
    return pack * bordered_size(params.geometry.in_height, params.geometry.in_width);
}

/// Returns the tap at a position (x, y) of the image that starts at `start`. `scale` is its mask. The corner of a sample
/// that is 0 is NOWHERE, so that its mask still counts, and may be NaN.
fn tap_in(start: u32, moved_to: vec2<f32>, scale: f32) -> Tap {
    let position = position_at(moved_to.y, moved_to.x, params.geometry.in_height, params.geometry.in_width);
    let corner = bordered_index(position.corner, params.geometry.in_width);
    return Tap(start + select(NOWHERE, corner, position.inside), scale * position.weight);
}

/// Samples four channels of the input. `plane` is the index of the pack's plane.
fn sample(tap: Tap, plane: u32) -> vec4<f32> {
    let at = tap.index + plane;
    if !DEFORMED {
        return packed_input[at];
    }
    let below = at + bordered_width(params.geometry.in_width);
    return tap.weight.x * packed_input[at] + tap.weight.y * packed_input[at + 1u]
        + tap.weight.z * packed_input[below] + tap.weight.w * packed_input[below + 1u];
}
