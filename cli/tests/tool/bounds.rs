//! Tests of the bounds within which `deform run` and `deform time` accept a result.

use std::path::{Path, PathBuf};

use deform::ops::deform_conv2d::Geometry;
use deform::ops::deform_conv2d::reference::Reference;
use deform_case::{CaseFile, DEFORM_CONV2D, OPERATORS};
use safetensors::Dtype;

use crate::layers::stored;
use crate::{Tensors, changed, changed_file, deform, folder, golden, run, text};

#[expect(clippy::cast_possible_truncation, reason = "it is rounded, and no other conversion exists")]
fn rounded(value: f64) -> f32 {
    value as f32
}

/// Sets element `n` of an operand or of an answer.
fn set(tensors: &mut Tensors, name: &str, n: usize, value: f64) {
    let (dtype, _, bytes) = tensors.get_mut(name).expect("the case has it");
    match dtype {
        Dtype::F64 => bytes[8 * n..8 * (n + 1)].copy_from_slice(&value.to_le_bytes()),
        _ => bytes[4 * n..4 * (n + 1)].copy_from_slice(&rounded(value).to_le_bytes()),
    }
}

fn f64s(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Writes a copy of the golden case v2 with one changed pixel, and with the answers of the reference. Returns the path
/// and the output.
fn with_pixel(folder: &tempfile::TempDir, pixel: f32) -> (PathBuf, Vec<f64>) {
    let path = changed(folder, |tensors, _| set(tensors, "input", 20, f64::from(pixel)));
    let file = CaseFile::read(&DEFORM_CONV2D, &path).expect("it is a case");
    let operands = file.operands().expect("it has operands");
    let shapes = operands.map(|operand| operand.shape.as_slice());
    let geometry = Geometry::new(shapes, &file.options().expect("it has options")).expect("they fit");
    let values = operands.map(|operand| operand.values.as_slice());
    let reference = Reference::new(&geometry, values).expect("they fit").with_exact_positions();
    let output = reference.forward();
    let grad_output = file.operand("grad_output").expect("it has it").values;
    let gradients = reference.backward(&grad_output).expect("it fits");
    let path = changed_file(folder, &path, |tensors, _| {
        tensors.get_mut("output").expect("it has it").2 = f64s(&output);
        for (operand, gradient) in gradients.iter() {
            let answer = tensors.get_mut(operand.gradient_name()).expect("it has it");
            answer.2 = f64s(gradient.as_ref().expect("the case has all operands"));
        }
    });
    (path, output)
}

#[test]
fn a_pixel_that_is_not_finite_or_huge_excuses_no_other_element() {
    let (folder, other) = (folder(), folder());
    let unchanged = CaseFile::read(&DEFORM_CONV2D, &golden("v2")).expect("it is a case");
    let unchanged = unchanged.answer("output").expect("it is f64").expect("it is there").values;
    for pixel in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e30] {
        let (case, output) = with_pixel(&folder, pixel);
        deform(&["run", "deform_conv2d", "--backward", text(&case)], 0);
        let reads = |n: &usize| (output[*n] - unchanged[*n]).abs() < 1e-9;
        let n = (0..output.len()).find(reads).expect("some element does not read the pixel");
        let wrong = changed_file(&other, &case, |tensors, _| set(tensors, "output", n, output[n] + 1e-3));
        run(&wrong, 4).says(&[&format!("element {n} ")]);
        deform(&["time", "deform_conv2d", "--mode", "fwd", text(&wrong), "--runs", "1"], 4);
    }
}

#[test]
fn a_pixel_that_is_not_finite_or_huge_excuses_no_element_of_a_gradient() {
    let (folder, other) = (folder(), folder());
    for pixel in [f32::INFINITY, 1e30] {
        let (case, _) = with_pixel(&folder, pixel);
        // These do not depend on the input, or belong to another channel than the pixel's.
        for (name, n) in [("grad_input", 0), ("grad_bias", 1), ("grad_weight", 4 * 4 * 9 - 1)] {
            let wrong = changed_file(&other, &case, |tensors, _| {
                let bytes = tensors[name].2[8 * n..8 * (n + 1)].try_into().expect("eight bytes");
                set(tensors, name, n, f64::from_le_bytes(bytes) + 1e-3);
            });
            let outcome = deform(&["run", "deform_conv2d", "--backward", text(&wrong)], 4);
            outcome.says(&[name, &format!("element {n} ")]);
        }
    }
}

#[test]
fn an_answer_that_is_not_finite_must_be_met() {
    let folder = folder();
    for answer in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (operator, file) in
            [("deform_conv2d", golden("v2")), ("deformable_conv2d", stored("deformable_conv2d").remove(0))]
        {
            let case = changed_file(&folder, &file, |tensors, _| set(tensors, "output", 7, answer));
            deform(&["run", operator, text(&case)], 4).says(&["element 7 "]);
        }
    }
    // An infinite bias makes an output channel infinite. The sign counts.
    let infinite = |tensors: &mut Tensors, answer: f64| {
        set(tensors, "bias", 0, f64::INFINITY);
        (0..42).for_each(|n| set(tensors, "output", n, answer));
    };
    run(&changed(&folder, |tensors, _| infinite(tensors, f64::INFINITY)), 0);
    run(&changed(&folder, |tensors, _| infinite(tensors, f64::NEG_INFINITY)), 4);
    run(&changed(&folder, |tensors, _| infinite(tensors, 1.0)), 4);
}

/// Writes a case whose output is one term, with torchvision's result in f32 as the answer.
fn one_term(folder: &tempfile::TempDir, dtype: Dtype) -> PathBuf {
    let tensor = |shape: &[usize], values: &[f32]| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (Dtype::F32, shape.to_vec(), bytes)
    };
    let input = [0.63198f32, 1.1267421, -0.9107997, 0.46675634];
    let [dy, dx] = [0.0625f32, 0.96875];
    let weight = 0.12063298f32;
    // torchvision's bilinear_interpolate, operation by operation, and its product with the weight.
    let (hh, hw) = (1.0 - dy, 1.0 - dx);
    let (w1, w2, w3, w4) = (hh * hw, hh * dx, dy * hw, dy * dx);
    let answer = weight * (w1 * input[0] + w2 * input[1] + w3 * input[2] + w4 * input[3]);
    changed(folder, |tensors, metadata| {
        tensors.clear();
        tensors.insert("input".into(), tensor(&[1, 1, 2, 2], &input));
        tensors.insert("offset".into(), tensor(&[1, 2, 1, 1], &[dy, dx]));
        tensors.insert("weight".into(), tensor(&[1, 1, 1, 1], &[weight]));
        tensors.insert(
            "output".into(),
            match dtype {
                Dtype::F64 => (dtype, vec![1; 4], f64s(&[f64::from(answer)])),
                _ => tensor(&[1; 4], &[answer]),
            },
        );
        metadata.clear();
        metadata.insert("stride".into(), "2,2".into());
    })
}

#[test]
fn one_term_as_torchvision_computes_it_is_accepted() {
    let folder = folder();
    for dtype in [Dtype::F64, Dtype::F32] {
        let case = one_term(&folder, dtype);
        run(&case, 0);
        run(&changed_file(&folder, &case, |tensors, _| set(tensors, "output", 0, 0.128876)), 4);
    }
}

#[test]
fn a_sum_that_may_pass_the_largest_f32_may_be_infinite() {
    let folder = folder();
    let case = |weight: f64| {
        let case = one_term(&folder, Dtype::F64);
        changed_file(&folder, &case, |tensors, _| {
            (0..4).for_each(|n| set(tensors, "input", n, 3e38));
            set(tensors, "weight", 0, weight);
            set(tensors, "output", 0, f64::from(3e38f32) * f64::from(rounded(weight)));
        })
    };
    run(&case(1.0), 0);
    run(&case(2.0), 0);
    // A wrong number is still wrong.
    run(&changed_file(&folder, &case(1.0), |tensors, _| set(tensors, "output", 0, 2e38)), 4);
}

/// Changes one element of an answer by a part of the answer's largest absolute value.
fn slightly_wrong(folder: &tempfile::TempDir, operator: &str, file: &Path, answer: &str, part: f64) -> PathBuf {
    let operator = OPERATORS.into_iter().find(|known| known.name == operator).expect("it is known");
    let case = CaseFile::read(operator, file).expect("it is a case");
    let values = case.answer(answer).expect("f64").expect("it is there").values;
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    changed_file(folder, file, |tensors, _| set(tensors, answer, 0, values[0] + part * largest))
}

#[test]
fn small_errors_of_cycle_fc_and_shift_are_found() {
    let folder = folder();
    for operator in ["cycle_fc", "shift"] {
        for file in stored(operator) {
            for answer in ["output", "grad_input"] {
                let wrong = slightly_wrong(&folder, operator, &file, answer, 1e-5);
                deform(&["run", operator, "--backward", text(&wrong)], 4).says(&[answer, "element 0 "]);
            }
        }
    }
}

/// Writes a case of an ordinary convolution with an activation, and the answers of the reference.
fn conv2d(folder: &tempfile::TempDir, activation: &str) -> PathBuf {
    let case = changed(folder, |tensors, _| {
        tensors.retain(|name, _| ["input", "offset", "weight", "bias", "grad_output"].contains(&name.as_str()));
        tensors.get_mut("offset").expect("it is there").2.fill(0);
    });
    let file = CaseFile::read(&DEFORM_CONV2D, &case).expect("it is a case");
    let operands = file.operands().expect("it has operands");
    let shapes = operands.map(|operand| operand.shape.as_slice());
    let geometry = Geometry::new(shapes, &file.options().expect("it has options")).expect("they fit");
    let values = operands.map(|operand| operand.values.as_slice());
    let reference = Reference::new(&geometry, values).expect("they fit");
    let factor = if activation == "twice_sigmoid" { 2.0 } else { 1.0 };
    let relu = activation == "relu";
    let sums = reference.forward();
    let output = sums.iter().map(|sum| if relu { sum.max(0.0) } else { factor / (1.0 + (-sum).exp()) });
    let output: Vec<_> = output.collect();
    let slope = |output: f64| if relu { f64::from(output > 0.0) } else { output * (1.0 - output / factor) };
    let grad = file.operand("grad_output").expect("it has it").values;
    let grad: Vec<_> =
        grad.iter().zip(&output).map(|(grad, &output)| rounded(f64::from(*grad) * slope(output))).collect();
    let gradients = reference.backward(&grad).expect("it fits");
    changed_file(folder, &case, |tensors, metadata| {
        tensors.remove("offset");
        metadata.remove("offset_groups");
        metadata.insert("activation".into(), activation.into());
        tensors.insert("output".into(), (Dtype::F64, geometry.output_shape().to_vec(), f64s(&output)));
        for (name, gradient) in [("input", gradients.input), ("weight", gradients.weight), ("bias", gradients.bias)] {
            let shape = tensors[name].1.clone();
            let values = f64s(&gradient.expect("the case has it"));
            tensors.insert(format!("grad_{name}"), (Dtype::F64, shape, values));
        }
    })
}

#[test]
fn results_behind_an_activation_are_bounded_by_their_terms() {
    let (folder, other) = (folder(), folder());
    for activation in ["relu", "sigmoid", "twice_sigmoid"] {
        let case = conv2d(&folder, activation);
        deform(&["run", "conv2d", "--backward", text(&case)], 0);
        for answer in ["output", "grad_input", "grad_weight", "grad_bias"] {
            let wrong = slightly_wrong(&other, "conv2d", &case, answer, 1e-3);
            deform(&["run", "conv2d", "--backward", text(&wrong)], 4).says(&[answer, "element 0 "]);
        }
    }
}
