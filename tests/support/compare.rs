//! The comparator: compares f32 results with expected values, within the bounds that the command-line tool uses too.

use deform_case::{Comparison, ErrorBound};

/// Compares `got` with `want` element by element. Returns the worst ratio of error to bound, or a message about the
/// worst element beyond its bound.
pub fn compare(got: &[f32], want: &[f64], bounds: &[ErrorBound]) -> Result<f64, String> {
    if got.len() != want.len() || want.len() != bounds.len() {
        return Err(format!("{} elements, expected {} with {} bounds", got.len(), want.len(), bounds.len()));
    }
    let comparison = Comparison::of(got, want, bounds.iter().copied());
    comparison.check("the expected one").map_err(|error| error.to_string())?;
    Ok(comparison.worst_ratio)
}
