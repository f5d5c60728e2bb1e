//! `cargo xtask kernels`: reads every shader with naga and writes the library's description of it to
//! src/kernel/generated.rs.
//!
//! The expander of the directives is included by its path, so that this also works while the library does not compile.

#[path = "../../../src/kernel/expand.rs"]
mod expand;
#[cfg(test)]
mod expand_tests;
#[path = "../../../src/kernel/expression.rs"]
mod expression;
mod facts;
#[path = "../../../src/kernel/sources.rs"]
mod sources;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};

pub(crate) use self::expand::Expanded;
use self::expand::expand;
use self::facts::Facts;
pub(crate) use self::facts::place;
use self::sources::Choice;
use crate::command::heading;

/// The file that is written.
const GENERATED: &str = "src/kernel/generated.rs";

/// How the operands that a kernel reads and the output are stored. A partial sum is f32 if the operands are f16.
const STORAGES: [[&str; 2]; 5] =
    [["f32", "f32"], ["f16", "f16"], ["packed_f16", "packed_f16"], ["f16", "f32"], ["packed_f16", "f32"]];

/// The text of every file below `shaders/`, by its path there without the extension.
pub(crate) type Files = BTreeMap<String, String>;

/// A kernel: a shader file, and one of its variants if it has any.
pub(crate) struct Kernel {
    file: String,
    /// The variant's name; empty if the file has no variants.
    variant: String,
    facts: Facts,
}

/// Writes the generated file.
pub(crate) fn write() -> Result<()> {
    let text = generated()?;
    std::fs::write(GENERATED, text).with_context(|| format!("cannot write {GENERATED}"))?;
    println!("wrote {GENERATED}");
    Ok(())
}

/// Returns an error if the generated file does not match the shaders.
pub(crate) fn check() -> Result<()> {
    heading("kernels");
    let found = std::fs::read_to_string(GENERATED).with_context(|| format!("cannot read {GENERATED}"))?;
    ensure!(found == generated()?, "{GENERATED} does not match the shaders: run `cargo xtask kernels`");
    println!("{GENERATED} matches the shaders");
    Ok(())
}

fn generated() -> Result<String> {
    let files = read(Path::new("shaders"))?;
    let mut kernels = Vec::new();
    files.iter().try_for_each(|(file, text)| check_constants(file, text))?;
    for (file, variant) in names(&files) {
        let facts = facts::read(&expanded(&files, file, variant, true, STORAGES[0])?)?;
        // The library describes a kernel once, whether the call has an offset or not.
        let regular = facts::read(&expanded(&files, file, variant, false, STORAGES[0])?)?;
        let same = facts.bindings == regular.bindings && facts.structs == regular.structs;
        ensure!(same, "shaders/{file}.wgsl: the bindings or parameters depend on DEFORMED");
        kernels.push(Kernel { file: file.to_owned(), variant: variant.to_owned(), facts });
    }
    ensure!(!kernels.is_empty(), "there is no kernel in shaders/");
    formatted(&write::rust(&files, &kernels)?)
}

/// Returns every module that the library may hand to a driver, with a name for it.
pub(crate) fn modules() -> Result<Vec<(String, Expanded)>> {
    let files = read(Path::new("shaders"))?;
    let mut modules: Vec<(String, Expanded)> = Vec::new();
    for (file, variant) in names(&files) {
        let name = format!("{file}/{variant}").trim_end_matches('/').replace('/', "_");
        let first = modules.len();
        for (deformed, sampling) in [(true, ""), (false, "_regular")] {
            for [operands, output] in STORAGES {
                let module = expanded(&files, file, variant, deformed, [operands, output])?;
                // The modules of a kernel without operands and without taps are all the same.
                if modules[first..].iter().all(|(_, known)| known.text != module.text) {
                    modules.push((format!("{name}{sampling}_{operands}_{output}"), module));
                }
            }
        }
    }
    Ok(modules)
}

/// Returns an error unless each constant of the variants has its meaning in a line `//@ constant`, and no other has.
fn check_constants(file: &str, text: &str) -> Result<()> {
    let variants = text.lines().filter_map(|line| line.trim().strip_prefix("//@ variant "));
    let words = variants.flat_map(str::split_whitespace);
    let of_variants: BTreeSet<_> = words.filter_map(|word| Some(word.split_once('=')?.0)).collect();
    let explained: BTreeSet<_> = explained(text).map(|(name, _)| name).collect();
    ensure!(
        explained == of_variants,
        "shaders/{file}.wgsl: the variants define {of_variants:?}, and `//@ constant` explains {explained:?}"
    );
    Ok(())
}

/// Returns the name and the meaning that each line `//@ constant` gives.
fn explained(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.trim().strip_prefix("//@ constant ")?.split_once(' '))
}

/// Returns the file and the variant of every kernel. The variant is empty if the file has none.
fn names(files: &Files) -> impl Iterator<Item = (&str, &str)> {
    let kernels = files.iter().filter(|(_, text)| text.lines().any(|line| line.trim().starts_with("@compute")));
    kernels.flat_map(|(file, text)| {
        let variants: Vec<_> = sources::variants(text).collect();
        let variants = if variants.is_empty() { vec![""] } else { variants };
        variants.into_iter().map(move |variant| (file.as_str(), variant))
    })
}

/// Expands the module of a kernel.
fn expanded(files: &Files, file: &str, variant: &str, deformed: bool, storages: [&str; 2]) -> Result<Expanded> {
    let [operands, output] = storages.map(|storage| format!("shared/stored_{storage}"));
    let choice = Choice { file, variant, deformed, operands: &operands, output: &output };
    expand(choice, &|path| files.get(path).map(String::as_str)).map_err(|error| anyhow!("{error}"))
}

fn read(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for family in std::fs::read_dir(folder).with_context(|| format!("no folder {}", folder.display()))? {
        let family = family?.path();
        for file in std::fs::read_dir(&family)? {
            let file = file?.path();
            let path = file.strip_prefix(folder)?.with_extension("");
            let path = path.to_str().context("a shader's path is not UTF-8")?.replace('\\', "/");
            files.insert(path, std::fs::read_to_string(&file)?);
        }
    }
    Ok(files)
}

/// Returns the text as `cargo fmt` formats it.
fn formatted(text: &str) -> Result<String> {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024", "--config-path", "rustfmt.toml"]);
    let mut rustfmt =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("could not start rustfmt")?;
    rustfmt.stdin.take().context("rustfmt has no input")?.write_all(text.as_bytes())?;
    let output = rustfmt.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt rejects the generated text");
    Ok(String::from_utf8(output.stdout)?)
}
