//! Tests the structure of the sources: they form eight floors, no file names one of a higher floor, and no files name
//! each other in a circle.

use std::collections::BTreeSet;

use crate::imports::{Crate, References};
use crate::support::files::files;

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
    let called = file("b/mod.rs", "mod e; pub struct B; pub fn all(n: Vec<u32>) { find(n).late() }");
    let files = files.into_iter().filter(|(path, _)| path != "src/b/mod.rs").chain([called]).collect::<Vec<_>>();
    let circle = circles(Crate::parse(&files).references());
    assert!(circle["src/b/mod.rs"].contains("src/b/e.rs"), "{circle:?}");
}

/// Returns the references of sources that are given by their paths below `src` and their texts.
fn named(sources: &[(&str, &str)]) -> References {
    let files: Vec<_> = sources.iter().map(|(path, text)| (format!("src/{path}"), (*text).to_owned())).collect();
    Crate::parse(&files).references()
}

#[test]
fn uses_of_one_name_and_globs_are_followed() {
    let names = named(&[("lib.rs", "mod b; pub use b::*;"), ("b.rs", "pub struct B; fn f(b: crate::B) {}")]);
    assert_eq!(circles(names).len(), 2);
    let names = named(&[("lib.rs", "mod b; pub use b as c;"), ("b.rs", "use crate::c;")]);
    assert_eq!(circles(names).len(), 2);

    // A glob may bring the names of another glob, and the name with which another glob begins.
    let names = named(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "pub use crate::b::*; pub enum Kind { Odd } pub use Kind::*; pub mod inner { pub struct Inner; }"),
        ("b.rs", "pub use crate::a::*; pub struct B;"),
        ("c.rs", "use crate::a::*; use inner::*; use crate::b::Odd; fn f(b: B) -> Inner { Vec::new() }"),
    ]);
    assert_eq!(names["src/c.rs"], BTreeSet::from(["src/a.rs", "src/b.rs"].map(str::to_owned)));
}

#[test]
fn names_outside_the_crate_lead_to_no_file() {
    let names = named(&[
        ("lib.rs", "mod all; mod kind; mod outer; mod plan; mod user;"),
        ("all.rs", "pub use std::fmt::*;"),
        ("kind.rs", "pub enum Kind { Odd } macro_rules! methods { () => { fn f() {} } } pub(crate) use methods;"),
        ("outer.rs", "pub use ::wgpu;"),
        ("plan.rs", "pub struct Plan;"),
        (
            "user.rs",
            "use super::*; use crate::kind::{Kind, methods}; use crate::{all::Debug, outer::wgpu};
            fn f<T: Debug>(plan: u64) { T::new(plan); Vec::<T>::new(); crate::outer::wgpu::Buffer::new(); }
            impl Kind { const ALL: [Self; 1] = [Self::Odd]; fn all() { crate::kind::Kind::ALL; self::Kind::Odd; } }",
        ),
    ]);
    assert_eq!(names["src/user.rs"], BTreeSet::from(["src/kind.rs", "src/lib.rs"].map(str::to_owned)));
}

#[test]
#[should_panic(expected = "src/a.rs: this test finds nothing at super::late")]
fn a_path_that_leads_nowhere_is_found() {
    named(&[("lib.rs", "mod a;"), ("a.rs", "fn f() { super::late() }")]);
}

#[test]
#[should_panic(expected = "src/lib.rs: this test does not follow the path of mod b")]
fn a_module_at_another_path_is_found() {
    named(&[("lib.rs", "#[path = \"c.rs\"] mod b;"), ("c.rs", "")]);
}

#[test]
fn a_function_that_is_called_like_its_module_is_followed() {
    let names = named(&[
        ("lib.rs", "mod a; mod user;"),
        ("a/mod.rs", "mod choice; pub use choice::choice;"),
        ("a/choice.rs", "pub fn choice() {}"),
        ("user.rs", "use crate::a::choice; fn f() { choice() }"),
    ]);
    assert_eq!(names["src/user.rs"], BTreeSet::from(["src/a/choice.rs", "src/a/mod.rs"].map(str::to_owned)));
}

#[test]
fn attributes_are_followed() {
    let a = "#[derive(Debug, crate::b::B)] #[error(\"over {}\", crate::c::MOST)] #[cfg(test)] struct A;";
    let sources =
        [("lib.rs", "mod a; mod b; mod c;"), ("a.rs", a), ("b.rs", "struct B;"), ("c.rs", "const MOST: u8 = 1;")];
    assert_eq!(named(&sources)["src/a.rs"], BTreeSet::from(["src/b.rs", "src/c.rs"].map(str::to_owned)));
}

/// Says whether a file names the impl, in another file, of a type `crate::t::T` or `crate::t::Alias`.
fn names_the_impl(user: &str) -> bool {
    let names = named(&[
        ("lib.rs", "mod impls; mod t; mod user;"),
        ("impls.rs", "impl crate::t::T { const MOST: u8 = 1; fn new() {} fn late(&self) {} }"),
        ("t.rs", "pub struct T; pub type Alias = T;"),
        ("user.rs", user),
    ]);
    names["src/user.rs"].contains("src/impls.rs")
}

#[test]
fn members_in_another_file_are_followed() {
    for user in [
        "use crate::t::T; fn f() { T::new() }",
        "use crate::t as types; fn f() { types::Alias::new() }",
        "use crate::t::T as Type; fn f() -> u8 { Type::MOST }",
        "fn f() { <crate::t::T>::new() }",
        "impl crate::t::T { fn f() { impl Drop for S {} Self::new() } }",
        "impl Default for crate::t::T { fn default() -> Self { vec![Self::new()] } }",
        "fn f(t: crate::t::T) { t.late() }",
        "use crate::t::Alias; mod tests { fn f() { super::f().late() } } fn f() -> Alias {}",
    ] {
        assert!(names_the_impl(user), "{user}");
    }
    for user in [
        "use crate::t::T; fn f(t: T) { t.early(); Vec::new() }",
        "use crate::t::T; struct S; impl S { fn f() { Self::new() } }",
        "fn f() { late().late() }",
    ] {
        assert!(!names_the_impl(user), "{user}");
    }
}

#[test]
#[should_panic(expected = "src/user.rs: this test does not know what methods! defines for T")]
fn a_macro_in_an_impl_in_another_file_is_found() {
    names_the_impl("impl crate::t::T { methods!(); }");
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
    assert!(
        kinds.all(|line| ["pub use ", "pub mod ", "mod ", "extern crate ", "#"]
            .iter()
            .any(|kind| line.starts_with(kind)))
    );
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
