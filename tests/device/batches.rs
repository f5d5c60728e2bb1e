//! Batches of small images, of which a step works on many.

use deform::ops::conv2d::Activation;
use deform::ops::deform_conv2d::Algorithm;
use deform::{Gradients, Options};

use crate::backward::{all, check_gradients, run_backward, ways};
use crate::conv2d;
use crate::device::{check, distinct_algorithms, fused_subgroup, run};
use crate::support::case::{Case, PLAIN, Sizes, depthwise, padded, regular};

/// Returns batches whose images need several parts, of which the last has fewer images, and batches whose planes lie
/// beside each other on lavapipe, because a texture is not high enough for them.
fn batches() -> Vec<Case> {
    let uneven = Sizes { batch: 1_003, in_channels: 8, out_channels: 5, input: [5, 5], ..PLAIN };
    let beside = Sizes { batch: 1_500, in_channels: 32, out_channels: 8, input: [2, 2], kernel: [2, 2], ..PLAIN };
    let grouped = Sizes { batch: 400, in_channels: 24, out_channels: 12, groups: 2, offset_groups: 3, ..PLAIN };
    let dots = Sizes { batch: 4_682, in_channels: 1, out_channels: 1, kernel: [1, 1], input: [1, 1], ..PLAIN };
    let sparse = Sizes { batch: 300, in_channels: 6, input: [9, 8], ..PLAIN };
    vec![
        Case::new("uneven parts", uneven, padded()),
        Case::new("planes beside each other", beside, padded()),
        Case::new("grouped", grouped, padded()),
        Case::new("dots", dots, Options::default()),
        Case::new("stride 3", sparse, Options { stride: [3, 3], ..padded() }),
    ]
}

#[test]
fn large_batches_meet_the_reference() {
    for case in batches() {
        for algorithm in distinct_algorithms() {
            check(&case.clone().by(algorithm));
        }
        check(&depthwise(case));
    }
}

#[test]
fn gradients_of_large_batches_meet_the_reference() {
    for case in batches() {
        for algorithm in ways() {
            check_gradients(&case.clone().by(algorithm));
        }
        check_gradients(&depthwise(case));
    }
}

/// Returns the case of one of the images.
fn image(case: &Case, n: usize) -> Case {
    let mut one = case.clone();
    let keep = |shape: &mut Vec<usize>, values: &mut Vec<f32>| {
        let size: usize = shape[1..].iter().product();
        shape[0] = 1;
        *values = values[n * size..(n + 1) * size].to_vec();
    };
    keep(&mut one.shapes.input, &mut one.operands.input);
    keep(&mut one.shapes.offset, &mut one.operands.offset);
    keep(one.shapes.mask.as_mut().unwrap(), one.operands.mask.as_mut().unwrap());
    one
}

/// The results of an image are the same bits, whichever images are worked on at the same time.
#[test]
fn an_image_does_not_depend_on_the_rest_of_its_batch() {
    let sizes = Sizes { batch: 5, in_channels: 12, out_channels: 12, offset_groups: 2, ..PLAIN };
    let case = Case::new("images", sizes, padded());
    let ways = fused_subgroup().into_iter().chain([Algorithm::Direct]).map(|algorithm| case.clone().by(algorithm));
    for case in ways.chain([depthwise(case.clone())]) {
        let part = |values: &[f32], n: usize| {
            let size = values.len() / 5;
            values[n * size..(n + 1) * size].iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        let (output, grad_output) = (run(&case), case.grad_output());
        let wanted = Gradients { weight: false, bias: false, ..all(&case) };
        let together = run_backward(&case, &grad_output, wanted);
        for n in 0..5 {
            let one = image(&case, n);
            assert_eq!(part(&output, n), part(&run(&one).repeat(5), 0), "image {n}");
            let size = grad_output.len() / 5;
            let alone = run_backward(&one, &grad_output[n * size..(n + 1) * size], wanted);
            for (operand, gradient) in together.iter() {
                if let (Some(gradient), Some(alone)) = (gradient, &alone[operand]) {
                    assert_eq!(part(gradient, n), part(&alone.repeat(5), 0), "{operand} of image {n}");
                }
            }
        }
    }
}

#[test]
fn ordinary_convolutions_of_large_batches_meet_the_reference() {
    for case in batches() {
        for algorithm in ways() {
            let case = regular(case.clone().by(algorithm));
            conv2d::check(&case, Activation::Relu);
            conv2d::check_gradients(&case, Activation::Sigmoid);
        }
    }
}
