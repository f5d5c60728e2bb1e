// Where taps sample before their offsets move them: the whole-number part of a position, (x, y). `params` is the kernel's own.
// It stays in integers until one conversion and one addition: a rounding there would move the sample, and far from the origin of
// a large image an f32 has few bits left for the fraction.

//@ uses shared/tap_geometry shared/finite
//@ sampling

/// Where the first tap of an output pixel samples. Once a pixel where it can be: a division is dear.
fn first_tap(pixel: u32) -> vec2<i32> {
    let at = vec2<u32>(pixel % params.geometry.out_width * params.geometry.stride_w, pixel / params.geometry.out_width * params.geometry.stride_h);
    return vec2<i32>(at) - vec2<i32>(vec2<u32>(params.geometry.pad_w, params.geometry.pad_h));
}

/// Where a tap samples, (x, y), in pixels: `at` is the index of its offset's y.
fn moved(whole: vec2<i32>, at: u32) -> vec2<f32> {
    if !DEFORMED {
        return vec2<f32>(whole);
    }
    let y = finite_offset(read_offset(at));
    let x = finite_offset(read_offset(at + params.geometry.out_pixels));
    return vec2<f32>(whole) + vec2<f32>(x, y);
}

/// An offset, and in the place of one that is not finite −10³⁸, which no image reaches. Before anything is added to it: WGSL lets a compiler take a sum
/// for finite, and drop what asks whether it is.
fn finite_offset(offset: f32) -> f32 {
    return bitcast<f32>(select(0xfe967699u, bitcast<u32>(offset), is_finite(offset)));
}

/// How far a tap lies from the first.
fn tap_step(tap: u32) -> vec2<i32> {
    return vec2<i32>(vec2<u32>(tap % params.geometry.kernel_width * params.geometry.dil_w, tap / params.geometry.kernel_width * params.geometry.dil_h));
}
