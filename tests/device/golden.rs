//! Compares the device with torchvision's stored answers.

use deform::Options;
use deform::ops::deform_conv2d::Algorithm;

use crate::device::{algorithms, run};
use crate::support::case::Case;
use crate::support::compare::compare;
use crate::support::golden;

#[test]
fn forward_meets_every_stored_case() {
    let mut depthwise_cases = 0;
    for golden in golden::all() {
        let mut algorithms = algorithms();
        if golden.case.geometry().is_depthwise() {
            algorithms.push(Algorithm::Depthwise);
            depthwise_cases += 1;
        }
        for algorithm in algorithms {
            let case = Case { options: Options { algorithm, ..golden.case.options }, ..golden.case.clone() };
            compare(&run(&case), &golden.output, &case.bounds_at_exact_positions())
                .unwrap_or_else(|error| panic!("{} by {algorithm:?}: {error}", case.name));
        }
    }
    assert!(depthwise_cases > 0);
}
