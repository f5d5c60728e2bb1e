//! Tests of `deform run` and `deform time` for the operators other than `deform_conv2d`.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use crate::{changed_file, deform, folder, text};

const FOLDERS: [(&str, usize); 3] = [("deformable_conv2d", 6), ("cycle_fc", 4), ("shift", 5)];

pub(crate) fn stored(operator: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(operator);
    let files = std::fs::read_dir(folder).expect("the stored cases are there");
    files.map(|file| file.expect("it can be listed").path()).collect()
}

#[test]
fn run_agrees_with_every_stored_case() {
    for (operator, count) in FOLDERS {
        let files = stored(operator);
        assert_eq!(files.len(), count);
        for file in files {
            let stdout = deform(&["run", operator, "--backward", text(&file)], 0).stdout;
            let bytes = std::fs::read(&file).expect("it can be read");
            let file = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
            let answers = file.names().into_iter().filter(|name| name.starts_with("grad_") && *name != "grad_output");
            for answer in answers.chain(["output"]) {
                assert!(stdout.contains(&format!("against {answer};")), "{answer} is not compared:\n{stdout}");
            }
        }
    }
}

#[test]
fn one_wrong_element_is_exit_code_4() {
    let folder = folder();
    for (operator, answers) in [
        (
            "deformable_conv2d",
            vec!["output", "grad_input", "grad_weight", "grad_generator_weight", "grad_generator_bias"],
        ),
        ("cycle_fc", vec!["output", "grad_input", "grad_weight"]),
        ("shift", vec!["output", "grad_input"]),
    ] {
        let file = stored(operator).remove(0);
        for answer in answers {
            let case = changed_file(&folder, &file, |tensors, _| {
                let (_, _, bytes) = tensors.get_mut(answer).expect("the case has it");
                let value = f64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
                bytes[..8].copy_from_slice(&(value + 0.05).to_le_bytes());
            });
            deform(&["run", operator, "--backward", text(&case)], 4).says(&["does not match", answer, "element 0"]);
            deform(&["time", operator, "--mode", "fwdbwd", text(&case), "--runs", "1"], 4).says(&[answer]);
        }
    }
}

#[test]
fn run_writes_results_of_the_stored_shapes() {
    let folder = folder();
    let out = folder.path().join("written.safetensors");
    for (operator, _) in FOLDERS {
        let file = stored(operator).remove(0);
        deform(&["run", operator, "--backward", text(&file), "--out", text(&out)], 0);
        let bytes = std::fs::read(&out).expect("it was written");
        let written = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
        let bytes = std::fs::read(&file).expect("it can be read");
        let stored = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
        for name in written.names() {
            let shape = |file: &SafeTensors<'_>| file.tensor(name).expect("both have it").shape().to_vec();
            assert_eq!(shape(&written), shape(&stored), "{name}");
        }
        assert!(written.names().contains(&"grad_input"));
    }
}

/// Returns the line that `deform time` prints.
fn time(arguments: &[&str]) -> serde_json::Value {
    let stdout = deform(&[&["time", "--runs", "2"], arguments].concat(), 0).stdout;
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    serde_json::from_str(&stdout).expect("the line is JSON")
}

#[test]
fn time_has_the_same_keys_for_every_operator() {
    let keys =
        |line: &serde_json::Value| line.as_object().expect("it is an object").keys().cloned().collect::<Vec<_>>();
    let deform_conv2d = crate::golden("v2");
    let [fwd, fwdbwd] =
        ["fwd", "fwdbwd"].map(|mode| keys(&time(&["deform_conv2d", "--mode", mode, text(&deform_conv2d)])));
    for (operator, _) in FOLDERS {
        let file = stored(operator).remove(0);
        let line = time(&[operator, text(&file)]);
        assert_eq!((keys(&line), &line["mode"], &line["runs"]), (fwd.clone(), &"fwd".into(), &2.into()));
        let line = time(&[operator, "--mode", "fwdbwd", text(&file)]);
        assert_eq!((keys(&line), &line["mode"], &line["runs"]), (fwdbwd.clone(), &"fwdbwd".into(), &2.into()));
        for error in [&line["max_abs_err_vs_torchvision"], &line["grad_err_vs_torchvision"]["input"]] {
            assert!(error.as_f64().is_some_and(|error| error < 1e-4), "{line}");
        }
    }
    // The file has no answers of an ordinary convolution.
    let folder = folder();
    let without = changed_file(&folder, &deform_conv2d, |tensors, metadata| {
        metadata.remove("offset_groups");
        tensors.retain(|name, _| ["input", "weight", "bias", "grad_output"].contains(&name.as_str()));
    });
    let line = time(&["conv2d", "--mode", "fwdbwd", text(&without)]);
    assert_eq!(line["grad_err_vs_torchvision"], serde_json::json!({ "input": null, "weight": null, "bias": null }));
}

/// An ordinary convolution is `deform_conv2d` with offsets of 0: the output of one is the expected output of the other.
#[test]
fn conv2d_is_deform_conv2d_with_offsets_of_zero() {
    let folder = folder();
    let out = folder.path().join("deformed.safetensors");
    let zero = changed_file(&folder, &crate::golden("v2"), |tensors, metadata| {
        tensors.retain(|name, _| ["input", "offset", "weight", "bias", "grad_output"].contains(&name.as_str()));
        tensors.get_mut("offset").expect("it is there").2.fill(0);
        metadata.remove("offset_groups");
    });
    deform(&["run", "deform_conv2d", "--backward", text(&zero), "--out", text(&out)], 0);
    let written = std::fs::read(&out).expect("it was written");
    let written = SafeTensors::deserialize(&written).expect("it is a safetensors file");
    let with_answers = changed_file(&folder, &zero, |tensors, metadata| {
        tensors.remove("offset");
        metadata.insert("activation".into(), "identity".into());
        for (name, view) in written.iter().filter(|(name, _)| *name != "grad_offset") {
            let tensor = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
            tensors.insert(name.to_owned(), tensor);
        }
    });
    let stdout = deform(&["run", "conv2d", "--backward", text(&with_answers)], 0).stdout;
    for answer in ["output", "grad_input", "grad_weight", "grad_bias"] {
        assert!(stdout.contains(&format!("against {answer};")), "{stdout}");
    }
}
