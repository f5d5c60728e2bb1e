// Four channels of a column, sampled from the packed input at a packed tap (packed_taps.wgsl). `packed_input` is the kernel's own.
//
//     mask · Σ over the corners of   weight · input[corner];   on the regular grid (DEFORMED false) that is one texel

//@ uses shared/packed_taps

/// `row` is the first row of the pack's plane. A sample outside the image is 0 whatever the mask.
fn packed_sample(tap: vec4<f32>, row: u32) -> vec4<f32> {
    let at = corner_of(tap) + vec2<u32>(0u, row);
    if !DEFORMED {
        return textureLoad(packed_input, at);
    }
    let weight = tap.w * corner_weights(fraction_of(tap));
    let sample = weight.x * textureLoad(packed_input, at)
        + weight.y * textureLoad(packed_input, at + vec2<u32>(1u, 0u))
        + weight.z * textureLoad(packed_input, at + vec2<u32>(0u, 1u))
        + weight.w * textureLoad(packed_input, at + vec2<u32>(1u, 1u));
    return select(vec4<f32>(), sample, touches(tap));
}
