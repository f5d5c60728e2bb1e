//! Tests the structure of the sources: they form eight floors, no file names one of a higher floor, and no files name
//! each other in a circle.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::imports::{Crate, References};

/// Returns the path, from the crate's root, and the text of every file below `folder` with this extension.
pub fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let root = Path::new(".");
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

/// Returns the lines that are not comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The floors, from the lowest up. A file may name the files of its own floor and of lower ones.
const FLOORS: [&str; 8] =
    ["src/dtype.rs", "src/error.rs", "src/kernel/", "src/plan/", "src/gpu/", "src/ops/", "src/layers/", "src/lib.rs"];

fn floor(path: &str) -> usize {
    FLOORS.iter().position(|floor| path.starts_with(floor)).unwrap_or_else(|| panic!("{path} is on no floor"))
}

fn references() -> References {
    Crate::parse(&files("src", "rs")).references()
}

#[test]
fn no_file_names_one_of_a_higher_floor() {
    for (path, targets) in references() {
        for target in targets {
            assert!(floor(&target) <= floor(&path), "{path} names {target}, which is on a higher floor");
        }
    }
}

/// Removes, as long as there are any, the files that name no remaining file or that no remaining file names. The
/// circles remain, and the files between them.
fn circles(mut references: References) -> References {
    loop {
        let named: BTreeSet<String> = references.values().flatten().cloned().collect();
        let left = references.iter().filter(|(path, targets)| named.contains(*path) && !targets.is_empty());
        let paths: BTreeSet<String> = left.map(|(path, _)| path.clone()).collect();
        if paths.len() == references.len() {
            return references;
        }
        references.retain(|path, _| paths.contains(path));
        references.values_mut().for_each(|targets| targets.retain(|target| paths.contains(target)));
    }
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let left = circles(references());
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn every_kind_of_path_is_followed() {
    let file = |path: &str, text: &str| (format!("src/{path}"), text.to_owned());
    let files = [
        file("lib.rs", "mod a; mod b; pub mod plan; pub use plan::Plan;"),
        file("plan.rs", "pub struct Plan; pub const MOST: u64 = 1;"),
        file("a/mod.rs", "mod c; mod d; pub use c::*; use crate::b; fn all() { b::all(vec![0; c::COUNT]) }"),
        file(
            "a/c.rs",
            "pub const COUNT: usize = 2; fn plan() { let plan = 1; drop(plan); format!(\"{}\", super::d::NAME); }",
        ),
        file("a/d.rs", "pub const NAME: &str = \"\"; fn f(plan: &crate::Plan) { std::mem::drop(plan); }"),
        file("b/mod.rs", "mod e; pub use crate::plan::{self, MOST as ALL}; pub fn all(n: Vec<u32>) {} pub struct B;"),
        file("b/e.rs", "use super::{B, super::a::COUNT}; impl B { pub fn late(&self) {} }"),
    ];
    let references = Crate::parse(&files).references();
    let expected = [
        ("src/a/c.rs", vec!["src/a/d.rs"]),
        ("src/a/d.rs", vec!["src/lib.rs", "src/plan.rs"]),
        ("src/a/mod.rs", vec!["src/a/c.rs", "src/b/mod.rs"]),
        ("src/b/e.rs", vec!["src/a/c.rs", "src/a/mod.rs", "src/b/mod.rs"]),
        ("src/b/mod.rs", vec!["src/plan.rs"]),
        ("src/lib.rs", vec!["src/plan.rs"]),
        ("src/plan.rs", vec![]),
    ];
    let owned =
        |(path, targets): (&str, Vec<&str>)| (path.to_owned(), targets.into_iter().map(str::to_owned).collect());
    assert_eq!(references, expected.into_iter().map(owned).collect());
    assert!(circles(references).is_empty());

    // The type's own file calls a method that is defined in another, which no path shows.
    let called = file("b/mod.rs", "mod e; pub struct B; fn f(b: B) { b.late() }");
    let files = files.into_iter().filter(|(path, _)| path != "src/b/mod.rs").chain([called]).collect::<Vec<_>>();
    let circle = circles(Crate::parse(&files).references());
    assert!(circle["src/b/mod.rs"].contains("src/b/e.rs"), "{circle:?}");
}

#[test]
fn only_gpu_names_wgpu() {
    let names_it = |text: &str| code(text).any(|line| line.contains("wgpu::") || line.contains("use wgpu"));
    let files = files("src", "rs").into_iter().filter(|(_, text)| names_it(text));
    let paths: Vec<_> = files.map(|(path, _)| path).collect();
    assert!(!paths.is_empty() && paths.iter().all(|path| path.starts_with("src/gpu/")), "{paths:?}");
}

#[test]
fn unsafe_code_is_in_one_file() {
    let places: Vec<_> = files("src", "rs")
        .into_iter()
        .filter(|(_, text)| code(text).any(|line| line.contains("unsafe {")))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(places, ["src/gpu/pipeline.rs"]);
}

#[test]
fn lib_rs_defines_nothing() {
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
        // The generated file is not meant to be read from top to bottom.
        if path == "src/kernel/generated.rs" {
            continue;
        }
        assert!(text.lines().count() <= 350, "{path} has {} lines", text.lines().count());
    }
}
