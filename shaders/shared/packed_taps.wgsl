// A packed tap, as pack_taps.wgsl writes it: (row, y, x, mask). `row` is the first row of its image in a plane of the
// packed input, less the first row of the image that is packed; (y, x) is its position in pixels of the image. A tap that
// touches none of the packed pixels lies right of the image: y = −1 and x = in_width. A tap at exactly −1 keeps its
// position: its sample is 0, but its derivative need not be.

/// Returns whether the sample of a tap can be other than 0. At a position of exactly −1 it is 0.
fn touches(tap: vec4<f32>) -> bool {
    return tap.y > -1.0 && tap.z > -1.0;
}

/// Returns (x0 + 1, row + y0 + 1). This is the texel of the corner (y0, x0) in the first plane of the packed input. It
/// is also the column and row of the tap's cell, counted from the cell above and to the left of the first image's first
/// pixel. The sum is exact: an f32 represents every whole number up to 2²⁴.
fn corner_of(tap: vec4<f32>) -> vec2<u32> {
    return vec2<u32>(vec2<i32>(floor(tap.zy) + vec2<f32>(0.0, tap.x)) + 1);
}

/// Returns (dx, dy), the distance of the position from its corner (y0, x0).
fn fraction_of(tap: vec4<f32>) -> vec2<f32> {
    return tap.zy - floor(tap.zy);
}

/// Returns the bilinear weights of the corners (y0, x0) (y0, x1) (y1, x0) (y1, x1).
fn corner_weights(fraction: vec2<f32>) -> vec4<f32> {
    let x = vec2<f32>(1.0 - fraction.x, fraction.x);
    return vec4<f32>((1.0 - fraction.y) * x, fraction.y * x);
}
