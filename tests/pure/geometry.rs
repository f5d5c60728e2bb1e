//! The checks of shapes and options: one typed error per cause, with operand, axis, expected and actual size.

use deform::ops::deform_conv2d::Geometry;
use deform::{Error, Inputs, Options};

type Shapes = Inputs<Vec<usize>>;

/// Returns valid shapes: 6 channels in 2 weight groups and 3 offset groups, 3×2 kernel, 9×8 input, no padding, 7×7
/// output.
fn shapes() -> Shapes {
    Inputs {
        input: vec![2, 6, 9, 8],
        offset: vec![2, 36, 7, 7],
        weight: vec![4, 3, 3, 2],
        mask: Some(vec![2, 18, 7, 7]),
        bias: Some(vec![4]),
    }
}

fn geometry(shapes: &Shapes, options: Options) -> Result<Geometry, Error> {
    Geometry::new(shapes.map(Vec::as_slice), &options)
}

fn error(change: impl Fn(&mut Shapes)) -> Error {
    let mut shapes = shapes();
    change(&mut shapes);
    geometry(&shapes, Options::default()).unwrap_err()
}

#[test]
fn sizes_are_derived_as_torchvision_derives_them() {
    let g = geometry(&shapes(), Options::default()).unwrap();
    assert_eq!((g.groups, g.offset_groups, g.output_shape()), (2, 3, [2, 4, 7, 7]));
    let options = Options { stride: [2, 3], padding: [1, 4], dilation: [3, 2], ..Options::default() };
    // (9 + 2 − 7) / 2 + 1 and (8 + 8 − 3) / 3 + 1
    let mut shapes = shapes();
    shapes.offset[2..].copy_from_slice(&[3, 5]);
    shapes.mask.as_mut().unwrap()[2..].copy_from_slice(&[3, 5]);
    assert_eq!(geometry(&shapes, options).unwrap().output_shape(), [2, 4, 3, 5]);
}

#[test]
fn every_error_names_its_operand_and_axis() {
    let axis = |error: Error| match error {
        Error::Axis { operand, axis, expected, got, .. } => (operand, axis, expected, got),
        other => panic!("{other}"),
    };
    let multiple = |error: Error| match error {
        Error::NotAMultiple { operand, axis, got, divisor, .. } => (operand, axis, got, divisor),
        other => panic!("{other}"),
    };
    assert_eq!(error(|s| s.input = vec![6, 9, 8]), Error::Rank { operand: "input", expected: 4, got: 3 });
    assert_eq!(error(|s| s.offset.push(1)), Error::Rank { operand: "offset", expected: 4, got: 5 });
    assert_eq!(error(|s| s.weight = vec![]), Error::Rank { operand: "weight", expected: 4, got: 0 });
    assert_eq!(error(|s| s.mask = Some(vec![18])), Error::Rank { operand: "mask", expected: 4, got: 1 });
    assert_eq!(error(|s| s.bias = Some(vec![4, 1])), Error::Rank { operand: "bias", expected: 1, got: 2 });
    assert_eq!(error(|s| s.input[1] = 0), Error::EmptyAxis { operand: "input", axis: 1 });
    assert_eq!(error(|s| s.input[3] = 0), Error::EmptyAxis { operand: "input", axis: 3 });
    assert_eq!(error(|s| s.weight[0] = 0), Error::EmptyAxis { operand: "weight", axis: 0 });
    assert_eq!(error(|s| s.weight[2] = 0), Error::EmptyAxis { operand: "weight", axis: 2 });
    assert_eq!(multiple(error(|s| s.weight[1] = 4)), ("input", 1, 6, 4));
    assert_eq!(multiple(error(|s| s.weight[0] = 5)), ("weight", 0, 5, 2));
    assert_eq!(multiple(error(|s| s.offset[1] = 35)), ("offset", 1, 35, 12));
    assert_eq!(multiple(error(|s| s.offset[1] = 0)), ("offset", 1, 0, 12));
    assert_eq!(multiple(error(|s| s.offset[1] = 48)), ("input", 1, 6, 4));
    assert_eq!(axis(error(|s| s.offset[0] = 3)), ("offset", 0, 2, 3));
    assert_eq!(axis(error(|s| s.offset[2] = 8)), ("offset", 2, 7, 8));
    assert_eq!(axis(error(|s| s.offset[3] = 6)), ("offset", 3, 7, 6));
    assert_eq!(axis(error(|s| s.mask.as_mut().unwrap()[0] = 1)), ("mask", 0, 2, 1));
    assert_eq!(axis(error(|s| s.mask.as_mut().unwrap()[1] = 36)), ("mask", 1, 18, 36));
    assert_eq!(axis(error(|s| s.mask.as_mut().unwrap()[2] = 9)), ("mask", 2, 7, 9));
    assert_eq!(axis(error(|s| s.mask.as_mut().unwrap()[3] = 0)), ("mask", 3, 7, 0));
    assert_eq!(axis(error(|s| s.bias = Some(vec![5]))), ("bias", 0, 4, 5));
}

#[test]
fn bad_options_are_an_error() {
    let zero = |options| match geometry(&shapes(), options).unwrap_err() {
        Error::ZeroOption { option, axis, .. } => (option, axis),
        other => panic!("{other}"),
    };
    assert_eq!(zero(Options { stride: [0, 1], ..Options::default() }), ("stride", 0));
    assert_eq!(zero(Options { stride: [1, 0], ..Options::default() }), ("stride", 1));
    assert_eq!(zero(Options { dilation: [0, 1], ..Options::default() }), ("dilation", 0));
    assert_eq!(zero(Options { dilation: [1, 0], ..Options::default() }), ("dilation", 1));
    let too_small = |options| match geometry(&shapes(), options).unwrap_err() {
        Error::OutputTooSmall { axis_name, got, .. } => (axis_name, got),
        other => panic!("{other}"),
    };
    assert_eq!(too_small(Options { dilation: [5, 1], ..Options::default() }), ("height", -1));
    assert_eq!(too_small(Options { dilation: [1, 20], stride: [1, 4], ..Options::default() }), ("width", -3));
}

#[test]
fn sizes_beyond_the_kernels_integers_are_an_error() {
    let too_large = |error: Error| matches!(error, Error::TooLarge { .. });
    for padding in [1 << 23, 1 << 31, usize::MAX / 2, usize::MAX] {
        assert!(too_large(geometry(&shapes(), Options { padding: [padding, 0], ..Options::default() }).unwrap_err()));
    }
    for size in [1 << 31, 1 << 40, usize::MAX] {
        assert!(too_large(error(|s| s.input[2] = size)), "{size}");
        assert!(too_large(error(|s| (s.input[0], s.offset[0]) = (size, size))), "{size}");
    }
    let huge = 1 << 30;
    assert!(too_large(error(|s| (s.input[2], s.input[3]) = (huge, huge))));
    for (stride, dilation) in [(usize::MAX, 1), (1, usize::MAX), (usize::MAX, usize::MAX)] {
        let options = Options { stride: [stride; 2], dilation: [dilation; 2], ..Options::default() };
        assert!(geometry(&shapes(), options).is_err());
    }
}
