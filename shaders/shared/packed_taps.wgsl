// A tap as pack_taps.wgsl packs it: (column, y, x, mask), a position in pixels of the input. One that touches none lies at y = −1, right of
// the image.

/// Whether its sample can be other than 0. At exactly −1 it is 0.
fn touches(tap: vec4<f32>) -> bool {
    return tap.y > -1.0 && tap.z > -1.0;
}

/// (x0 + 1, y0 + 1): the texel of the corner (y0, x0) in the first plane of the packed input; the column and row of the cell, counted from the
/// one above and to the left of the first pixel.
fn corner_of(tap: vec4<f32>) -> vec2<u32> {
    return vec2<u32>(vec2<i32>(floor(tap.zy)) + 1);
}

/// (dx, dy): how far it lies from that corner.
fn fraction_of(tap: vec4<f32>) -> vec2<f32> {
    return tap.zy - floor(tap.zy);
}

/// The bilinear weights of the corners (y0, x0) (y0, x1) (y1, x0) (y1, x1).
fn corner_weights(fraction: vec2<f32>) -> vec4<f32> {
    let x = vec2<f32>(1.0 - fraction.x, fraction.x);
    return vec4<f32>((1.0 - fraction.y) * x, fraction.y * x);
}
