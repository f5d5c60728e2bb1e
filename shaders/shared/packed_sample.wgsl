// Samples four channels of a column from the packed input, at a packed tap (packed_taps.wgsl). The kernel that uses
// this file declares `packed_input`.
//
//     mask · Σ over the corners of   weight · input[corner]          on the regular grid (DEFORMED is false) this is one texel

//@ uses shared/packed_taps

/// `plane` is the first texel of the pack's plane. A tap whose sample is 0 may lie beside infinite pixels, so only its
/// first corner counts, which is a zero beside the image. Its mask counts too, and may be NaN.
fn packed_sample(tap: vec4<f32>, plane: vec2<u32>) -> vec4<f32> {
    let at = corner_of(tap) + plane;
    if !DEFORMED {
        return textureLoad(packed_input, at);
    }
    let weight = tap.w * corner_weights(fraction_of(tap));
    let first = textureLoad(packed_input, at);
    let sample = weight.x * first
        + weight.y * textureLoad(packed_input, at + vec2<u32>(1u, 0u))
        + weight.z * textureLoad(packed_input, at + vec2<u32>(0u, 1u))
        + weight.w * textureLoad(packed_input, at + vec2<u32>(1u, 1u));
    return select(tap.w * first, sample, touches(tap));
}
