// WGSL lets an implementation assume that NaN and infinity never occur, so comparisons cannot be relied on to sort them out.
// Their exponent bits can.
fn is_finite(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}
