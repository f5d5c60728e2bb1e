//! The comparator: compares f32 results with the reference, within a derived error bound.

/// The factor of the error bound. A term `weight·mask·(Σ four corners)` goes through at most 9 roundings of 2⁻²⁴ before
/// it is added (`1 − dy`, `1 − dx`, their product, times the pixel, three additions, mask, weight). Adding `terms` of
/// them adds about √terms more, and `9 + √terms ≤ 10·√terms`.
const ROUNDINGS: f64 = 10.0;

/// Returns the error bound of an f32 sum of `terms` terms whose absolute values add up to `magnitude`.
pub fn bound(magnitude: f64, terms: usize) -> f64 {
    ROUNDINGS * 2f64.powi(-24) * (terms as f64).sqrt() * magnitude
}

/// Compares `got` with `want` element by element, within the bound `10·2⁻²⁴·√terms·Σ|terms|`. Returns the worst ratio
/// of error to bound, or a message about the first element beyond it.
pub fn compare(got: &[f32], want: &[f64], magnitude: &[f64], terms: usize) -> Result<f64, String> {
    if got.len() != want.len() || want.len() != magnitude.len() {
        return Err(format!("{} elements, expected {} with {} bounds", got.len(), want.len(), magnitude.len()));
    }
    let mut worst = 0.0;
    for (n, &got) in got.iter().enumerate() {
        let want = want[n];
        let error = (f64::from(got) - want).abs();
        let bound = bound(magnitude[n], terms);
        if error.is_nan() || error > bound {
            return Err(format!("element {n} is {got}, expected {want} ± {bound:e}"));
        }
        if error > 0.0 {
            worst = f64::max(worst, error / bound);
        }
    }
    Ok(worst)
}
