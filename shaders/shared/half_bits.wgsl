/// Rounds a number to the nearest f16, ties to even, and returns its 16 bits. WGSL leaves open how pack2x16float rounds
/// and what it makes of numbers beyond the range of f16.
fn half_bits(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let magnitude = bits & 0x7fffffffu;
    // Drops 13 bits of the fraction and changes the exponent's bias from 127 to 15. Numbers from 65520 on become
    // infinity.
    let normal = min((magnitude + 0xfffu + ((magnitude >> 13u) & 1u) - 0x38000000u) >> 13u, 0x7c00u);
    // Below 2⁻¹⁴ an f16 is a whole multiple of 2⁻²⁴.
    let subnormal = u32(round(abs(value) * 16777216.0));
    let number = select(normal, subnormal, magnitude < 0x38800000u);
    return ((bits >> 16u) & 0x8000u) | select(number, 0x7e00u, magnitude > 0x7f800000u);
}
