// Samples four channels at a time from the packed input. Zeros surround every plane of it and stand for what lies
// outside the image. The kernel that uses this file declares `params`, `offset`, `mask` and `packed_input`.

//@ uses shared/taps shared/bilinear shared/packed_planes

/// An output pixel of one of a step's images.
struct Pixel {
    /// The whole-number position (x, y) of its first tap.
    first_tap: vec2<i32>,
    /// Index of its first element in the bound offset.
    offset: u32,
    /// Index of its first element in the bound mask.
    mask: u32,
    /// The first row of its image in a plane of the packed input.
    row: u32,
}

/// `number` counts the output pixels of all images.
fn pixel_at(number: u32) -> Pixel {
    let image = number / params.geometry.out_pixels;
    let pixel = number - image * params.geometry.out_pixels;
    return Pixel(
        first_tap(pixel),
        params.offset_base + image * params.offset_image_stride + pixel,
        params.mask_base + image * params.mask_image_stride + pixel,
        image * (params.geometry.in_height + 1u),
    );
}

/// Returns the index of a pixel's first element in the bound output. Kernels call it at their end, because what is kept
/// across their loops takes registers.
fn output_at(number: u32) -> u32 {
    let image = number / params.geometry.out_pixels;
    return params.output_base + image * params.output_image_stride + number - image * params.geometry.out_pixels;
}

/// One tap of one output pixel: where it samples every channel of a segment, and how the corners count.
struct Tap {
    /// The texel of the corner (y0, x0) in the first pack's plane.
    corner: vec2<u32>,
    /// The weights of the corners (y0, x0) (y0, x1) (y1, x0) (y1, x1), times the mask.
    weight: vec4<f32>,
}

/// Returns the corner of a sample that is 0: it reads the two zero columns on the right of the plane. Its mask still
/// counts, and may be NaN.
fn nowhere() -> vec2<u32> {
    return vec2<u32>(params.geometry.in_width + 1u, 0u);
}

/// `plane` is the start of the (offset group, tap) plane in an image's mask, and `step` is the distance of the tap from
/// the first tap.
fn tap_at(plane: u32, pixel: Pixel, step: vec2<i32>) -> Tap {
    let moved_to = moved(pixel.first_tap + step, pixel.offset + 2u * plane);
    var scale = 1.0;
    if params.has_mask != 0u {
        scale = read_mask(pixel.mask + plane);
    }
    let position = position_at(moved_to.y, moved_to.x, params.geometry.in_height, params.geometry.in_width);
    let corner = vec2<u32>(position.corner + 1) + vec2<u32>(0u, pixel.row);
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
