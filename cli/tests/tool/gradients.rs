//! Tests of the backward pass in `deform run` and `deform time`.

use safetensors::SafeTensors;

use crate::{changed, deform, folder, golden, text};

#[test]
fn run_writes_and_compares_the_gradients() {
    let folder = folder();
    let out = folder.path().join("gradients.safetensors");
    let stdout = deform(&["run", "deform_conv2d", "--backward", text(&golden("v2")), "--out", text(&out)], 0).stdout;
    let written = std::fs::read(&out).expect("the file was written");
    let written = SafeTensors::deserialize(&written).expect("it is a safetensors file");
    let golden = std::fs::read(golden("v2")).expect("the golden case is there");
    let golden = SafeTensors::deserialize(&golden).expect("it is a safetensors file");
    for operand in ["input", "offset", "weight", "mask", "bias"] {
        let name = format!("grad_{operand}");
        assert!(stdout.contains(&format!("against {name}")), "{stdout}");
        let shape = |file: &SafeTensors<'_>, name: &str| file.tensor(name).expect("it is there").shape().to_vec();
        assert_eq!(shape(&written, &name), shape(&golden, operand));
    }
}

#[test]
fn one_wrong_element_of_a_gradient_is_exit_code_4() {
    let folder = folder();
    for name in ["grad_input", "grad_offset", "grad_weight", "grad_mask", "grad_bias"] {
        let case = changed(&folder, |tensors, _| {
            let (_, _, bytes) = tensors.get_mut(name).expect("the case has it");
            let value = f64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
            bytes[..8].copy_from_slice(&(value + 0.05).to_le_bytes());
        });
        deform(&["run", "deform_conv2d", "--backward", text(&case)], 4).says(&["does not match", name, "element 0"]);
        deform(&["time", "deform_conv2d", "--mode", "fwdbwd", text(&case), "--runs", "1"], 4);
    }
}

#[test]
fn time_of_both_passes_prints_the_error_of_every_gradient() {
    let case = golden("v2");
    let stdout = deform(&["time", "deform_conv2d", "--mode", "fwdbwd", text(&case), "--runs", "2"], 0).stdout;
    let line: serde_json::Value = serde_json::from_str(&stdout).expect("one line of JSON");
    assert_eq!(line["mode"], "fwdbwd");
    for operand in ["input", "offset", "mask", "weight", "bias"] {
        let error = line["grad_err_vs_torchvision"][operand].as_f64();
        assert!(error.is_some_and(|error| error < 1e-4), "{line}");
    }
}

#[test]
fn time_of_both_passes_has_a_key_for_an_operand_that_the_call_lacks() {
    let case = golden("v1_no_bias");
    let stdout = deform(&["time", "deform_conv2d", "--mode", "fwdbwd", text(&case), "--runs", "1"], 0).stdout;
    let line: serde_json::Value = serde_json::from_str(&stdout).expect("one line of JSON");
    let errors = line["grad_err_vs_torchvision"].as_object().expect("it is an object");
    let null = errors.iter().filter(|(_, error)| error.is_null()).map(|(operand, _)| operand.as_str());
    assert_eq!(null.collect::<Vec<_>>(), ["bias", "mask"], "{line}");
}

#[test]
fn the_backward_pass_needs_a_gradient_of_the_output() {
    let folder = folder();
    let case = changed(&folder, |tensors, _| drop(tensors.remove("grad_output")));
    deform(&["run", "deform_conv2d", "--backward", text(&case)], 1).says(&["grad_output"]);
}
