//! Conversions from floating-point numbers.

/// Rounds a number to f32.
#[expect(clippy::cast_possible_truncation, reason = "it is rounded, and no other conversion exists")]
pub fn rounded(value: f64) -> f32 {
    value as f32
}

/// Returns a whole number from 0 to 255.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is asserted to fit")]
pub fn byte(value: f32) -> u8 {
    assert!(value.fract() == 0.0 && (0.0..256.0).contains(&value), "{value}");
    value as u8
}

/// Returns the largest whole number that is not larger.
#[expect(clippy::cast_possible_truncation, reason = "the tests' positions are small")]
pub fn whole(value: f32) -> i64 {
    value.floor() as i64
}
