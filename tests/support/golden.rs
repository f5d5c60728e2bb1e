//! The stored cases of `tests/golden`: operands, options and torchvision's answers.

use std::collections::HashMap;
use std::path::Path;

use deform::{Inputs, Options};
use safetensors::{Dtype, SafeTensors};

use super::case::Case;

/// A stored case and its answers, `output` and `grad_…`, in f64.
pub struct Golden {
    pub case: Case,
    pub grad_output: Vec<f32>,
    pub answers: HashMap<String, Vec<f64>>,
    pub groups: [usize; 2],
}

/// Shape and values.
pub type Operand = (Vec<usize>, Vec<f32>);

/// What one file holds.
pub struct Stored {
    pub name: String,
    pub metadata: HashMap<String, String>,
    pub operands: HashMap<String, Operand>,
    /// The answers, `output` and `grad_…`.
    pub answers: HashMap<String, Vec<f64>>,
}

/// Every file of one folder of `tests/golden`, by name; there are `count`.
pub fn stored(folder: &str, count: usize) -> Vec<Stored> {
    let folder = Path::new(".").join("tests/golden").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), count, "all stored cases");
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Stored {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut stored = Stored {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        metadata: header.metadata().clone().unwrap(),
        operands: HashMap::new(),
        answers: HashMap::new(),
    };
    for (name, tensor) in file.tensors() {
        match tensor.dtype() {
            Dtype::F32 => {
                let operand = (tensor.shape().to_vec(), bytemuck::pod_collect_to_vec(tensor.data()));
                stored.operands.insert(name, operand);
            }
            Dtype::F64 => {
                stored.answers.insert(name, bytemuck::pod_collect_to_vec(tensor.data()));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    stored
}

impl Stored {
    pub fn pair(&self, name: &str) -> [usize; 2] {
        let (h, w) = self.metadata[name].split_once(',').unwrap();
        [h.parse().unwrap(), w.parse().unwrap()]
    }

    pub fn number(&self, name: &str) -> usize {
        self.metadata[name].parse().unwrap()
    }
}

/// Every stored case of deform_conv2d, by name.
pub fn all() -> Vec<Golden> {
    stored("deform_conv2d", 47).into_iter().map(golden).collect()
}

fn golden(mut stored: Stored) -> Golden {
    let mut operand = |name: &str| stored.operands.remove(name);
    let grad_output = operand("grad_output").unwrap().1;
    let (input_shape, input) = operand("input").unwrap();
    let (offset_shape, offset) = operand("offset").unwrap();
    let (weight_shape, weight) = operand("weight").unwrap();
    let (mask_shape, mask) = operand("mask").unzip();
    let (bias_shape, bias) = operand("bias").unzip();
    let [stride, padding, dilation] = ["stride", "padding", "dilation"].map(|name| stored.pair(name));
    Golden {
        case: Case {
            name: stored.name.clone(),
            options: Options { stride, padding, dilation, ..Options::default() },
            shapes: Inputs {
                input: input_shape,
                offset: offset_shape,
                weight: weight_shape,
                mask: mask_shape,
                bias: bias_shape,
            },
            operands: Inputs { input, offset, weight, mask, bias },
        },
        grad_output,
        groups: ["groups", "offset_groups"].map(|name| stored.number(name)),
        answers: stored.answers,
    }
}
