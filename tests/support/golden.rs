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

/// Every stored case, by name.
pub fn all() -> Vec<Golden> {
    let folder = Path::new(".").join("tests/golden/deform_conv2d");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 47, "all stored cases");
    paths.iter().map(|path| load(path)).collect()
}

fn load(path: &Path) -> Golden {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let shape = |name: &str| file.tensor(name).ok().map(|tensor| tensor.shape().to_vec());
    let values = |name: &str| {
        let tensor = file.tensor(name).ok()?;
        assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
        Some(bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data()))
    };
    let pair = |name: &str| {
        let (h, w) = metadata[name].split_once(',').unwrap();
        [h.parse().unwrap(), w.parse().unwrap()]
    };
    let case = Case {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        options: Options {
            stride: pair("stride"),
            padding: pair("padding"),
            dilation: pair("dilation"),
            ..Options::default()
        },
        shapes: Inputs {
            input: shape("input").unwrap(),
            offset: shape("offset").unwrap(),
            weight: shape("weight").unwrap(),
            mask: shape("mask"),
            bias: shape("bias"),
        },
        operands: Inputs {
            input: values("input").unwrap(),
            offset: values("offset").unwrap(),
            weight: values("weight").unwrap(),
            mask: values("mask"),
            bias: values("bias"),
        },
    };
    let answers = file.tensors().into_iter().filter(|(_, tensor)| tensor.dtype() == Dtype::F64);
    Golden {
        case,
        grad_output: values("grad_output").unwrap(),
        answers: answers.map(|(name, tensor)| (name, bytemuck::pod_collect_to_vec(tensor.data()))).collect(),
        groups: ["groups", "offset_groups"].map(|name| metadata[name].parse().unwrap()),
    }
}
