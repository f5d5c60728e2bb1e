//! Conversions from floating-point numbers, and from the text of options.

use std::str::FromStr;

/// Rounds a number to f32.
#[expect(clippy::cast_possible_truncation, reason = "it is rounded, and no other conversion exists")]
pub(crate) fn rounded(value: f64) -> f32 {
    value as f32
}

/// Removes the digits behind the point. A number beyond i64 becomes the nearest, and NaN becomes 0.
#[expect(clippy::cast_possible_truncation, reason = "documented")]
pub(crate) fn whole(value: f64) -> i64 {
    value as i64
}

/// Removes the digits behind the point from a coordinate of a drawing. A number beyond i32 becomes 0.
pub(crate) fn coordinate(value: f32) -> i32 {
    whole(value.into()).try_into().unwrap_or(0)
}

/// Removes the digits behind the point from a length of a drawing. A number beyond u32 becomes 0.
pub(crate) fn length(value: f64) -> u32 {
    whole(value).try_into().unwrap_or(0)
}

/// Removes the digits behind the point from a brightness. A number beyond u8 becomes the nearest.
pub(crate) fn byte(value: f32) -> u8 {
    whole(value.into()).clamp(0, 255).try_into().unwrap_or(u8::MAX)
}

/// Parses an option that is a whole number.
pub(crate) fn whole_number<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "expected a whole number, 0 or more")
}

/// Parses an option that is a number of things.
pub(crate) fn count(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|count| *count > 0).ok_or("expected a whole number, 1 or more")
}

/// Parses an option that is a time.
pub(crate) fn seconds(text: &str) -> Result<f64, &'static str> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    seconds.ok_or("expected a number of seconds, 0 or more")
}
