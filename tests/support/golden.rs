//! The stored cases of `tests/golden`: operands, options and torchvision's answers.

use std::path::Path;

use deform::Gradients;
use deform_case::{CaseFile, DEFORM_CONV2D, Operator};

use super::case::Case;

/// A stored case and its answers.
pub struct Golden {
    pub case: Case,
    pub output: Vec<f64>,
    pub grad_output: Vec<f32>,
    pub gradients: Gradients<Option<Vec<f64>>>,
    pub groups: usize,
    pub offset_groups: usize,
}

/// Reads every stored case of an operator, in the order of their names. There must be `count`.
pub fn stored(operator: &'static Operator, count: usize) -> Vec<CaseFile> {
    let folder = Path::new(".").join("tests/golden").join(operator.name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), count, "the number of stored cases in the folder");
    paths.iter().map(|path| CaseFile::read(operator, path).unwrap()).collect()
}

/// Reads every stored case of deform_conv2d, in the order of their names.
pub fn all() -> Vec<Golden> {
    stored(&DEFORM_CONV2D, 47).iter().map(golden).collect()
}

fn golden(file: &CaseFile) -> Golden {
    let operands = file.operands().unwrap();
    Golden {
        case: Case {
            name: file.name.clone(),
            options: file.options().unwrap(),
            shapes: operands.map(|operand| operand.shape.clone()),
            operands: operands.map(|operand| operand.values.clone()),
        },
        output: file.answer("output").unwrap().unwrap().values,
        grad_output: file.operand("grad_output").unwrap().values,
        gradients: file.gradients().unwrap().map(|answer| answer.as_ref().map(|answer| answer.values.clone())),
        groups: file.number("groups", 1).unwrap(),
        offset_groups: file.number("offset_groups", 1).unwrap(),
    }
}
