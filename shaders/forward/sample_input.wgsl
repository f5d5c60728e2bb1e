// Samples four channels of a column from the input, for fused_tiled.wgsl, which declares `params`.

//@ uses shared/bilinear

/// [image, channel, in_height, in_width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;

/// The bit that marks the index of a corner outside the image.
const ABSENT = 0x80000000u;

/// One tap of one column.
struct Tap {
    /// Indices of the corners (y0,x0) (y0,x1) (y1,x0) (y1,x1) from the image's first channel. The index of a corner
    /// outside the image is that of a neighbour, plus ABSENT.
    index: vec4<u32>,
    /// Their weights, times the mask.
    weight: vec4<f32>,
}

/// Returns the index of an image's first element.
fn image_start(image: u32) -> u32 {
    return params.input_base + image * params.input_image_stride;
}

/// Returns the tap at a position (x, y) of the image that starts at `start`. `scale` is its mask.
fn tap_in(start: u32, position: vec2<f32>, scale: f32) -> Tap {
    let corners = corners_at(position.y, position.x, params.geometry.in_height, params.geometry.in_width);
    let present = select(vec4<bool>(), corners.present, corners.inside);
    return Tap(start + corners.index + select(vec4<u32>(ABSENT), vec4<u32>(), present), scale * corners.weight);
}

/// Returns 0 for an absent corner. Multiplying its neighbour by 0 would be wrong: it may be infinite, and 0 · ∞ is NaN.
/// The mask still counts.
fn corner(index: u32, plane: u32) -> f32 {
    let value = read_input(index % ABSENT + plane);
    return select(value, 0.0, index >= ABSENT);
}

fn sample(tap: Tap, plane: u32) -> f32 {
    if !DEFORMED {
        return corner(tap.index.x, plane);
    }
    return tap.weight.x * corner(tap.index.x, plane) + tap.weight.y * corner(tap.index.y, plane)
        + tap.weight.z * corner(tap.index.z, plane) + tap.weight.w * corner(tap.index.w, plane);
}

/// Samples a pack of a segment. A channel past the segment's last is 0.
fn sample_pack(tap: Tap, segment: u32, pack: u32) -> vec4<f32> {
    let plane_size = params.geometry.in_height * params.geometry.in_width;
    let plane = (segment * params.segment_channels + 4u * pack) * plane_size;
    let samples = vec4<f32>(sample(tap, plane), sample(tap, plane + plane_size), sample(tap, plane + 2u * plane_size),
        sample(tap, plane + 3u * plane_size));
    let channels = 4u * pack + vec4<u32>(0u, 1u, 2u, 3u);
    return select(vec4<f32>(), samples, channels < vec4<u32>(params.segment_channels));
}
