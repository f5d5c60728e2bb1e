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
    assert!(line.contains("input 1x64x256x256 weight 256x64x7x7") && line.contains("columns"), "{line}");
}
