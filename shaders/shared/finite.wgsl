// Tells finite numbers from NaN and infinity by their exponent bits. WGSL lets an implementation assume that NaN and
// infinity never occur, so a comparison need not find them.
fn is_finite(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}
