
/// A number rounded to f16, as 16 bits. What pack2x16float makes of one beyond f16's range, WGSL leaves open.
fn half_bits(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let magnitude = bits & 0x7fffffffu;
    // 65504, the greatest f16.
    if magnitude <= 0x477fe000u {
        return pack2x16float(vec2<f32>(value, 0.0)) & 0xffffu;
    }
    // From 65520 on, half a step above that, it rounds to infinity.
    let rounded = select(0x7bffu, 0x7c00u, magnitude >= 0x477ff000u);
    let is_nan = magnitude > 0x7f800000u;
    return ((bits >> 16u) & 0x8000u) | select(rounded, 0x7e00u, is_nan);
}
