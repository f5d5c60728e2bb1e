//! The stored cases of `tests/golden`: operands, options and torchvision's answers.

use std::collections::HashMap;
use std::path::Path;

use deform::{Inputs, Operand};
use deform_case::CaseFile;

use super::case::Case;

/// A stored case and its answers, `output` and `grad_…`, in f64.
pub struct Golden {
    pub case: Case,
    pub grad_output: Vec<f32>,
    pub answers: HashMap<String, Vec<f64>>,
    /// The number of weight groups, and of offset groups.
    pub groups: [usize; 2],
}

/// Reads every file of one folder of `tests/golden`, in the order of their names. There must be `count`.
pub fn stored(folder: &str, count: usize) -> Vec<CaseFile> {
    let folder = Path::new(".").join("tests/golden").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), count, "the number of stored cases in the folder");
    paths.iter().map(|path| CaseFile::read(path).unwrap()).collect()
}

/// Reads every stored case of deform_conv2d, in the order of their names.
pub fn all() -> Vec<Golden> {
    stored("deform_conv2d", 47).iter().map(golden).collect()
}

fn golden(file: &CaseFile) -> Golden {
    let operands = Inputs {
        input: file.operand("input").unwrap(),
        offset: file.operand("offset").unwrap(),
        weight: file.operand("weight").unwrap(),
        mask: file.optional("mask").unwrap(),
        bias: file.optional("bias").unwrap(),
    };
    let results = Operand::ALL.iter().map(|operand| operand.gradient_name()).chain(["output"]);
    let answers = results.filter_map(|name| Some((name.to_owned(), file.answer(name).unwrap()?.values)));
    Golden {
        case: Case {
            name: file.name.clone(),
            options: file.options().unwrap(),
            shapes: operands.map(|operand| operand.shape.clone()),
            operands: operands.map(|operand| operand.values.clone()),
        },
        grad_output: file.operand("grad_output").unwrap().values,
        answers: answers.collect(),
        groups: ["groups", "offset_groups"].map(|name| file.number(name, 0).unwrap()),
    }
}
