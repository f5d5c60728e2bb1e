//! Errors: those that the page shows, and those of results.

use wasm_bindgen::prelude::*;

/// Makes the error that JavaScript catches, with all causes in its message.
pub(crate) fn js_error(error: anyhow::Error) -> JsError {
    JsError::new(&format!("{error:#}"))
}

/// Returns the largest absolute error. It is infinite if only one of two values is NaN or if the lengths differ.
pub(crate) fn max_abs_error(got: &[f32], want: &[f64]) -> f64 {
    if got.len() != want.len() {
        return f64::INFINITY;
    }
    let off = |(&got, &want): (&f32, &f64)| match (got.is_nan(), want.is_nan()) {
        (true, true) => 0.0,
        (false, false) if f64::from(got) == want => 0.0,
        (false, false) => (f64::from(got) - want).abs(),
        _ => f64::INFINITY,
    };
    got.iter().zip(want).map(off).fold(0.0, f64::max)
}
