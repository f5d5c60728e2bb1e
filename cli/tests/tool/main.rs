//! Tests of the command-line tool: its printed text, its files and its exit codes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

mod bench;
mod bounds;
mod case;
mod demo;
mod gradients;
mod info;
mod layers;
mod out;
mod print;
mod show;

/// Runs the tool and checks its exit code.
fn deform(arguments: &[&str], exit_code: i32) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_deform")).args(arguments).output().expect("the tool starts");
    let outcome = Outcome::from(output);
    assert_eq!(outcome.code, Some(exit_code), "deform {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
    outcome
}

struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }
}

impl Outcome {
    /// Asserts that stderr contains each of these words.
    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "expected {word:?} in:\n{}", self.stderr);
        }
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/deform_conv2d").join(name).with_extension("safetensors")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is text")
}

/// Makes a temporary folder.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

type Tensors = HashMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// Writes a copy of the golden case v2 with its tensors or metadata changed.
fn changed(folder: &tempfile::TempDir, change: impl FnOnce(&mut Tensors, &mut HashMap<String, String>)) -> PathBuf {
    changed_file(folder, &golden("v2"), change)
}

/// Writes a copy of any case file with its tensors or metadata changed.
fn changed_file(
    folder: &tempfile::TempDir,
    file: &Path,
    change: impl FnOnce(&mut Tensors, &mut HashMap<String, String>),
) -> PathBuf {
    let bytes = std::fs::read(file).expect("the file is there");
    let file = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("it has a header");
    let mut metadata = header.metadata().clone().expect("it has metadata");
    let mut tensors: Tensors = file
        .iter()
        .map(|(name, view)| (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    change(&mut tensors, &mut metadata);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name, TensorView::new(*dtype, shape.clone(), data).expect("the data fits the shape"))
    });
    let path = folder.path().join("changed.safetensors");
    let bytes = safetensors::serialize(views, Some(metadata)).expect("it can be stored");
    std::fs::write(&path, bytes).expect("it can be written");
    path
}

fn run(case: &Path, exit_code: i32) -> Outcome {
    deform(&["run", "deform_conv2d", text(case)], exit_code)
}

#[test]
fn help_documents_the_exit_codes() {
    let help = deform(&["--help"], 0).stdout;
    for words in ["Exit codes", "no GPU adapter", "does not match"] {
        assert!(help.contains(words), "expected {words:?} in:\n{help}");
    }
}

#[test]
fn help_and_readme_have_the_same_recipe_for_a_case() {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let help = squeezed(&deform(&["run", "--help"], 0).stdout);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("it can be read");
    let recipe: Vec<_> = readme.lines().filter(|line| line.contains("save_file")).collect();
    assert_eq!(recipe.len(), 2);
    for line in recipe {
        assert!(help.contains(&squeezed(line)), "expected {line:?} in the help");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    deform(&["run", "no_such_operator", "case.safetensors"], 2).says(&["deform_conv2d"]);
    for (command, option, wrong, expected) in [
        (vec!["run", "conv2d", "case"], "--workspace", vec!["-1", "1.5", "x", "18446744073709551616"], "0 or more"),
        (vec!["show", "case"], "--batch", vec!["-1", "x"], "0 or more"),
        (vec!["show", "case"], "--channel", vec!["-1", "x"], "0 or more"),
        (vec!["time", "conv2d", "case"], "--runs", vec!["-1", "0", "x", "4294967296"], "1 or more"),
        (vec!["time", "conv2d", "case"], "--max-seconds", vec!["-1", "NaN", "inf", "x"], "seconds, 0 or more"),
        (vec!["bench"], "--max-seconds", vec!["-1", "NaN"], "seconds, 0 or more"),
        (vec!["bench"], "--runs", vec!["0"], "1 or more"),
        (vec!["tune", "--memory", "file"], "--seconds", vec!["-1", "0", "x"], "1 or more"),
    ] {
        for wrong in wrong {
            deform(&[command.as_slice(), &[option, wrong]].concat(), 2).says(&[
                option,
                &format!("'{wrong}'"),
                expected,
            ]);
        }
    }
    deform(&["bench", "--layer", "no_such_layer"], 2).says(&["resnet_c3"]);
}

#[test]
fn tune_stores_the_algorithm_and_bench_reads_it() {
    let folder = folder();
    let memory = folder.path().join("tuning");
    deform(&["tune", "--memory", text(&memory)], 1).says(&["nothing to tune"]);
    let case = golden("all_outside");
    let outcome = deform(&["tune", "--memory", text(&memory), "--case", text(&case), "--seconds", "1"], 0);
    let remembered = std::fs::read_to_string(&memory).expect("the tuning file is written");
    let algorithm = remembered.trim_end().rsplit('\t').next().expect("three columns");
    assert_eq!(remembered.lines().count(), 1);
    assert!(outcome.stdout.contains(&format!(": {algorithm} (input ")), "{}", outcome.stdout);

    let forced = remembered.replace(algorithm, "fastest");
    std::fs::write(&memory, forced).expect("write");
    deform(&["bench", "--layer", "cyclefc", "--tuning", text(&memory)], 1).says(&["line 1", "fastest"]);
}

#[test]
fn no_adapter_is_exit_code_3() {
    let run = |variable, value| {
        let output = Command::new(env!("CARGO_BIN_EXE_deform"))
            .args(["run", "deform_conv2d", text(&golden("v2"))])
            .env(variable, value)
            .output()
            .expect("the tool starts");
        Outcome::from(output)
    };
    for (variable, value) in [("WGPU_BACKEND", "vulcan"), ("WGPU_ADAPTER_NAME", "no such adapter")] {
        let outcome = run(variable, value);
        assert_eq!(outcome.code, Some(3), "{}{}", outcome.stdout, outcome.stderr);
        outcome.says(&["adapter", variable, value]);
    }
    // An empty variable counts as unset.
    for variable in ["WGPU_BACKEND", "WGPU_ADAPTER_NAME"] {
        let outcome = run(variable, "");
        assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
    }
}

#[test]
fn run_agrees_with_the_golden_cases() {
    for case in ["v1", "v2", "v1_no_bias", "k3x2", "g2_og3", "depthwise", "stride2", "real_offset", "edges", "flow"] {
        let outcome = run(&golden(case), 0);
        assert!(outcome.stdout.contains("max abs error"), "{}", outcome.stdout);
    }
}

#[test]
fn run_agrees_on_a_device_without_limits_and_features_of_its_own() {
    let case = golden("g2_og3");
    for operator in ["run", "time"] {
        deform(&[operator, "deform_conv2d", text(&case), "--webgpu-defaults"], 0);
        // Such a device has no subgroups.
        let fused = [operator, "deform_conv2d", text(&case), "--webgpu-defaults", "--algorithm", "fused_subgroup"];
        deform(&fused, 1).says(&["fused_subgroup"]);
    }
}

#[test]
fn run_writes_the_output() {
    let folder = folder();
    let out = folder.path().join("out.safetensors");
    let arguments =
        ["run", "deform_conv2d", text(&golden("v2")), "--out", text(&out), "--algorithm", "columns"].map(str::to_owned);
    deform(&arguments.each_ref().map(String::as_str), 0);
    let bytes = std::fs::read(&out).expect("the output was written");
    let file = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
    let output = file.tensor("output").expect("it holds the output");
    assert_eq!((output.dtype(), output.shape()), (Dtype::F32, [1, 4, 7, 6].as_slice()));

    let golden = std::fs::read(golden("v2")).expect("the golden case is there");
    let golden = SafeTensors::deserialize(&golden).expect("it is a safetensors file");
    let want = golden.tensor("output").expect("it holds the answer");
    let got = output.data().as_chunks().0.iter().map(|&value| f64::from(f32::from_le_bytes(value)));
    let want = want.data().as_chunks().0.iter().map(|&value| f64::from_le_bytes(value));
    assert!(got.zip(want).all(|(got, want)| (got - want).abs() < 1e-5));
}

#[test]
fn run_without_an_answer_says_so() {
    let folder = folder();
    let case = changed(&folder, |tensors, _| {
        tensors.remove("output");
    });
    let outcome = run(&case, 0);
    assert!(outcome.stdout.contains("no answer"), "{}", outcome.stdout);
}

#[test]
fn a_missing_file_is_named() {
    run(Path::new("no/such/case.safetensors"), 1).says(&["no/such/case.safetensors"]);
}

#[test]
fn one_wrong_element_is_exit_code_4() {
    let folder = folder();
    for wrong in [0.01, f64::NAN] {
        let case = changed(&folder, |tensors, _| {
            let (_, _, data) = tensors.get_mut("output").expect("the case has an answer");
            let element = f64::from_le_bytes(data[800..808].try_into().expect("eight bytes"));
            data[800..808].copy_from_slice(&(element + wrong).to_le_bytes());
        });
        run(&case, 4).says(&["does not match", "element 100"]);
        deform(&["time", "deform_conv2d", "--mode", "fwd", text(&case), "--runs", "1"], 4);
    }
}

#[test]
fn an_answer_of_another_shape_is_exit_code_4() {
    let folder = folder();
    let case = changed(&folder, |tensors, _| {
        tensors.get_mut("output").expect("the case has an answer").1 = vec![1, 4, 6, 7];
    });
    run(&case, 4).says(&["[1, 4, 7, 6]", "[1, 4, 6, 7]"]);
}

#[test]
fn the_answer_in_higher_precision_is_preferred() {
    let folder = folder();
    let case = changed(&folder, |tensors, _| {
        let (dtype, shape, data) = tensors["output"].clone();
        tensors.insert("exact.output".to_owned(), (dtype, shape, data.clone()));
        // Zeros do not match, so the test fails if they are compared.
        tensors.get_mut("output").expect("the case has an answer").2 = vec![0; data.len()];
    });
    assert!(run(&case, 0).stdout.contains("exact.output"));
}

#[test]
fn a_workspace_too_small_says_how_much_is_needed() {
    // `auto` would take an algorithm that needs no workspace.
    let case = golden("v2");
    let arguments = ["run", "deform_conv2d", text(&case), "--workspace", "16", "--algorithm", "columns"];
    deform(&arguments, 1).says(&["workspace", "16"]);
}

#[test]
fn time_prints_one_line_of_json() {
    let folder = folder();
    let without_answer = changed(&folder, |tensors, _| {
        tensors.remove("output");
    });
    for (case, name, has_answer) in [(golden("v2"), "v2", true), (without_answer, "changed", false)] {
        let arguments = ["time", "deform_conv2d", "--mode", "fwd", text(&case), "--runs", "3"];
        let stdout = deform(&arguments, 0).stdout;
        assert_eq!(stdout.lines().count(), 1, "{stdout}");
        let line: serde_json::Value = serde_json::from_str(&stdout).expect("the line is JSON");
        assert_eq!(line["peer"], "project");
        assert_eq!(line["case"], name);
        assert_eq!(line["mode"], "fwd");
        assert_eq!(line["runs"], 3);
        assert!(line["device"].is_string());
        for time in ["median_ms", "min_ms", "max_ms"] {
            assert!(line[time].as_f64().is_some_and(|time| time > 0.0), "{line}");
        }
        assert_eq!(line["max_abs_err_vs_torchvision"].is_f64(), has_answer, "{line}");
    }
}

#[test]
fn time_makes_at_least_one_call() {
    let case = golden("v2");
    let arguments = ["time", "deform_conv2d", "--mode", "fwd", text(&case), "--max-seconds", "0"];
    let line: serde_json::Value = serde_json::from_str(&deform(&arguments, 0).stdout).expect("the line is JSON");
    assert_eq!(line["runs"], 1);
}

#[test]
fn shaders_writes_one_file_per_variant() {
    let folder = folder();
    let out = folder.path().join("wgsl");
    let stdout = deform(&["shaders", "--out", text(&out)], 0).stdout;
    assert!(stdout.lines().count() > 1, "{stdout}");
    for path in stdout.lines() {
        assert!(path.ends_with(".wgsl"), "{path}");
        assert!(std::fs::read_to_string(path).expect("the file was written").contains("@compute"), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_not_a_panic() {
    let pipe = std::process::Stdio::piped;
    let mut command = Command::new(env!("CARGO_BIN_EXE_deform"));
    let mut child = command.arg("info").stdout(pipe()).stderr(pipe()).spawn().expect("the tool starts");
    drop(child.stdout.take());
    let outcome = Outcome::from(child.wait_with_output().expect("the tool ends"));
    assert_eq!((outcome.code, outcome.stderr.contains("panicked")), (None, false), "{}", outcome.stderr);
}
