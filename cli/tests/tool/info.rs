//! Tests of `deform info`.

use crate::deform;

#[test]
fn info_names_the_adapter_in_use() {
    let info = deform(&["info"], 0).stdout;
    for words in ["deform uses", "largest storage binding", "workgroup memory", "f16", "subgroups", "timestamp"] {
        assert!(info.contains(words), "expected {words:?} in:\n{info}");
    }
}

/// Mesa's device-select layer prints a line for every instance if the variable is not set.
#[test]
fn info_prints_no_hint_about_a_display() {
    let mut info = std::process::Command::new(env!("CARGO_BIN_EXE_deform"));
    let output = info.arg("info").env_remove("XDG_RUNTIME_DIR").output().expect("the tool starts");
    assert!(output.status.success());
    let hints = String::from_utf8_lossy(&output.stderr);
    assert!(!hints.contains("XDG_RUNTIME_DIR"), "{hints}");
}

#[test]
fn info_lists_the_algorithms_of_each_layer() {
    let info = deform(&["info"], 0).stdout;
    let line = info.lines().find(|line| line.contains("birefnet_k7 ")).expect("a line for the layer");
    for words in ["1x64x256x256", "256x64x7x7", "columns"] {
        assert!(line.contains(words), "expected {words:?} in: {line}");
    }
}

#[test]
fn info_fits_100_columns() {
    let info = deform(&["info"], 0).stdout;
    let widest = info.lines().max_by_key(|line| line.chars().count()).expect("it prints lines");
    assert!(widest.chars().count() <= 100, "{widest}");
}

#[test]
fn info_tells_the_algorithms_of_a_gpu_that_is_not_there() {
    let info = deform(&["info", "--device", "h100"], 0).stdout;
    let line = info.lines().find(|line| line.contains("centernet_128 ")).expect("a line for the layer");
    assert!(line.contains("fused_packed_32x64") && line.contains("47 µs"), "{line}");
    assert!(!info.contains("deform uses"), "{info}");
    let refused = deform(&["info", "--device", "h300"], 2).stderr;
    assert!(refused.contains("navi31"), "{refused}");
}
