// Output pixels, and their taps. The kernel that uses this file declares `params`, `offset` and `mask`, and a file of the
// packed input that declares `Tap`, `image_start` and `tap_in`: shared/sample.wgsl or shared/sample_planes.wgsl.

//@ uses shared/taps

/// An output pixel of one of a step's images.
struct Pixel {
    /// The whole-number position (x, y) of its first tap.
    first_tap: vec2<i32>,
    /// Index of its first element in the bound offset.
    offset: u32,
    /// Index of its first element in the bound mask.
    mask: u32,
    /// Where its image starts in a plane of the packed input.
    start: u32,
}

/// `number` counts the output pixels of all images.
fn pixel_at(number: u32) -> Pixel {
    let image = number / params.geometry.out_pixels;
    let pixel = number - image * params.geometry.out_pixels;
    return Pixel(
        first_tap(pixel),
        params.offset_base + image * params.offset_image_stride + pixel,
        params.mask_base + image * params.mask_image_stride + pixel,
        image_start(image),
    );
}

/// Returns the index of a pixel's first element in the bound output. Kernels call it at their end, because what is kept
/// across their loops takes registers.
fn output_at(number: u32) -> u32 {
    let image = number / params.geometry.out_pixels;
    return params.output_base + image * params.output_image_stride + number - image * params.geometry.out_pixels;
}

/// `plane` is the start of the (offset group, tap) plane in an image's mask, and `step` is the distance of the tap from
/// the first tap.
fn tap_at(plane: u32, pixel: Pixel, step: vec2<i32>) -> Tap {
    let moved_to = moved(pixel.first_tap + step, pixel.offset + 2u * plane);
    var scale = 1.0;
    if params.has_mask != 0u {
        scale = read_mask(pixel.mask + plane);
    }
    return tap_in(pixel.start, moved_to, scale);
}
