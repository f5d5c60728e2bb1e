// The positions of taps. The kernel that uses this file declares `params` and `offset`.
//
//     (x, y) = whole + offset          whole = (ox·stride_w − pad_w + j·dil_w, oy·stride_h − pad_h + i·dil_h)
//
// `whole` is computed in integers, then converted once and added once. Each rounding would move the sample, and far
// from the origin of a large image an f32 has few bits left for the fraction.

//@ uses shared/tap_geometry shared/finite
//@ sampling

/// Returns the whole-number position of a pixel's first tap. Kernels call it once per pixel where they can, because it
/// divides.
fn first_tap(pixel: u32) -> vec2<i32> {
    let at = vec2<u32>(pixel % params.geometry.out_width * params.geometry.stride_w, pixel / params.geometry.out_width * params.geometry.stride_h);
    return vec2<i32>(at) - vec2<i32>(vec2<u32>(params.geometry.pad_w, params.geometry.pad_h));
}

/// Returns the position (x, y) of a tap in pixels. `at` is the index of the y of its offset.
fn moved(whole: vec2<i32>, at: u32) -> vec2<f32> {
    if !DEFORMED {
        return vec2<f32>(whole);
    }
    let y = finite_offset(read_offset(at));
    let x = finite_offset(read_offset(at + params.geometry.out_pixels));
    return vec2<f32>(whole) + vec2<f32>(x, y);
}

/// Replaces an offset that is not finite by −10³⁸, which lies outside every image. This must happen before any
/// addition: WGSL lets a compiler assume that a sum is finite and drop a later test.
fn finite_offset(offset: f32) -> f32 {
    return bitcast<f32>(select(0xfe967699u, bitcast<u32>(offset), is_finite(offset)));
}

/// Returns the distance of a tap from the first tap.
fn tap_step(tap: u32) -> vec2<i32> {
    return vec2<i32>(vec2<u32>(tap % params.geometry.kernel_width * params.geometry.dil_w, tap / params.geometry.kernel_width * params.geometry.dil_h));
}
