//! The eight floors: the sources are read, and every arrow between modules must point down.

use std::path::{Path, PathBuf};

/// Every file below `folder` with this ending: its path from the crate's root, and its text.
pub fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = Path::new(".");
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// Code lines: comments may name what they like.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The floor of a module of the crate, counted from below; a module may name those below its own.
fn floor(path: &str) -> usize {
    let floors = [
        "src/dtype.rs",
        "src/error.rs",
        "src/kernel/",
        "src/plan/",
        "src/gpu/",
        "src/ops/",
        "src/layers/",
        "src/lib.rs",
    ];
    floors.iter().position(|floor| path.starts_with(floor)).unwrap_or_else(|| panic!("{path} is on no floor"))
}

/// The names by which `crate::…` reaches each floor, re-exports of the face included.
const NAMES: [(&str, &[&str]); 7] = [
    ("src/dtype.rs", &["dtype", "Dtype", "Element"]),
    ("src/error.rs", &["Error", "Result", "error"]),
    ("src/kernel/", &["kernel"]),
    ("src/plan/", &["plan"]),
    ("src/gpu/", &["gpu", "Gpu", "Tensor", "wgpu", "CommandEncoder", "Recorder", "TextureRegion"]),
    ("src/layers/", &["layers"]),
    ("src/ops/", &["ops", "DeformConv2d", "Inputs", "Options", "Algorithm", "Tile", "Tuning", "Roofline"]),
];

/// Every name that follows `crate::` in the code: `crate::a`, and each in `crate::{a, b::c}`.
fn crate_names(text: &str) -> Vec<String> {
    let code = code(text).collect::<Vec<_>>().join("\n");
    let head = |path: &str| path.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap().to_owned();
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => {
                list[..list.find("};").unwrap()].split(',').map(head).filter(|name| !name.is_empty()).collect()
            }
            None => vec![head(rest)],
        })
        .collect()
}

#[test]
fn arrows_point_down() {
    let mut arrows = 0;
    for (path, text) in files("src", "rs").iter().filter(|(path, _)| path != "src/lib.rs") {
        for name in crate_names(text) {
            let (target, _) = NAMES
                .iter()
                .find(|(_, names)| names.contains(&name.as_str()))
                .unwrap_or_else(|| panic!("{path}: {name}"));
            assert!(floor(target) <= floor(path), "{path} names {name} of {target}, a floor above");
            arrows += 1;
        }
    }
    assert!(arrows > 20, "only {arrows} arrows were found");
}

#[test]
fn only_gpu_names_wgpu() {
    let names_it = |text: &str| code(text).any(|line| line.contains("wgpu::") || line.contains("use wgpu"));
    let files = files("src", "rs").into_iter().filter(|(_, text)| names_it(text));
    let paths: Vec<_> = files.map(|(path, _)| path).collect();
    assert!(!paths.is_empty() && paths.iter().all(|path| path.starts_with("src/gpu/")), "{paths:?}");
}

#[test]
fn unsafe_code_stands_in_one_place() {
    let places: Vec<_> = files("src", "rs")
        .into_iter()
        .filter(|(_, text)| code(text).any(|line| line.contains("unsafe {")))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(places, ["src/gpu/pipeline.rs"]);
}

#[test]
fn the_face_defines_nothing() {
    let text = &files("src", "rs").into_iter().find(|(path, _)| path == "src/lib.rs").unwrap().1;
    let mut kinds = code(text).filter(|line| !line.trim().is_empty());
    assert!(kinds.all(|line| ["pub use ", "pub mod ", "mod ", "#!["].iter().any(|kind| line.starts_with(kind))));
}

#[test]
fn no_file_is_long() {
    for (path, text) in
        [files("src", "rs"), files("shaders", "wgsl"), files("tests", "rs"), files("cli", "rs"), files("xtask", "rs")]
            .concat()
    {
        // No one reads it from top to bottom.
        if path == "src/kernel/generated.rs" {
            continue;
        }
        assert!(text.lines().count() <= 350, "{path} has {} lines", text.lines().count());
    }
}
