//! Tests of `deform demo`.

use crate::{deform, folder, text};

#[test]
fn demo_prints_its_numbers_and_writes_its_pictures() {
    let folder = folder();
    let stdout = deform(&["demo", "--out", text(folder.path())], 0).stdout;
    for words in ["[  0  0  1 ]", "In pictures", "The CPU reference"] {
        assert!(stdout.contains(words), "expected {words:?} in:\n{stdout}");
    }
    for name in ["1_bend.png", "2_focus.png", "3_brush.png", "4_taps.png"] {
        assert!(stdout.contains(name), "expected {name} in:\n{stdout}");
        let picture = std::fs::read(folder.path().join(name)).expect("the picture was written");
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
    }
}
