//! Tests of `deform info`.

use crate::deform;

#[test]
fn info_names_the_adapter_in_use() {
    let info = deform(&["info"], 0).stdout;
    for words in ["deform uses", "largest storage binding", "workgroup memory", "f16", "subgroups", "timestamp"] {
        assert!(info.contains(words), "expected {words:?} in:\n{info}");
    }
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
