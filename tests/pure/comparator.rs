//! Checks that the comparator rejects each way in which a result can be wrong.

use crate::support::case::{Case, PLAIN, padded};
use crate::support::compare::compare;

/// Returns a case, the reference's output rounded to f32 and not rounded, and its magnitudes.
fn case() -> (Case, Vec<f32>, Vec<f64>, Vec<f64>) {
    let case = Case::new("plain", PLAIN, padded());
    let (want, magnitude) = case.expected();
    let rounded = want.iter().map(|&value| value as f32).collect();
    (case, rounded, want, magnitude)
}

#[test]
fn accepts_the_reference_rounded_to_f32() {
    let (case, got, want, magnitude) = case();
    let worst = compare(&got, &want, &magnitude, case.terms()).unwrap();
    assert!(worst > 0.0 && worst < 0.1, "{worst}");
}

#[test]
fn rejects_one_wrong_element() {
    let (case, mut got, want, magnitude) = case();
    got[17] += 1e-3;
    let error = compare(&got, &want, &magnitude, case.terms()).unwrap_err();
    assert!(error.starts_with("element 17 "), "{error}");
}

#[test]
fn rejects_nan_on_either_side() {
    let (case, mut got, mut want, magnitude) = case();
    got[3] = f32::NAN;
    assert!(compare(&got, &want, &magnitude, case.terms()).is_err());
    want[3] = f64::NAN;
    assert!(compare(&got, &want, &magnitude, case.terms()).is_err());
}

#[test]
fn rejects_swapped_axes() {
    let (case, got, want, magnitude) = case();
    let [_, channels, height, width] = case.geometry().output_shape();
    let swapped: Vec<_> = (0..got.len())
        .map(|at| {
            let (c, y, x) = (at / (height * width), at / width % height, at % width);
            assert!(c < channels);
            got[c * height * width + x * height + y]
        })
        .collect();
    assert!(compare(&swapped, &want, &magnitude, case.terms()).is_err());
}

#[test]
fn rejects_another_number_of_elements() {
    let (case, got, want, magnitude) = case();
    assert!(compare(&got[1..], &want, &magnitude, case.terms()).is_err());
    assert!(compare(&[], &want, &magnitude, case.terms()).is_err());
}
