//! Checks that neither this workspace nor a dependency needs a newer Rust than the workspace promises.

use std::fmt;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::{cargo, heading, run, succeeds};

/// The `rust-version` that the workspace's `Cargo.toml` promises; this package inherits it.
const PROMISED: &str = env!("CARGO_PKG_RUST_VERSION");

/// Compares the promised version with those that the dependencies declare, and compiles with the promised toolchain if
/// it is installed.
pub(crate) fn msrv() -> Result<()> {
    heading("minimum Rust version");
    dependencies()?;
    if succeeds(Command::new("rustup").args(["run", PROMISED, "rustc", "--version"])) {
        run(Command::new("rustup").args(["run", PROMISED, "cargo", "check", "--all-targets"]))?;
        println!("Done: compiled everything with Rust {PROMISED}.");
    } else {
        println!(
            "Not done: compiling with Rust {PROMISED}, which is not installed \
             (`rustup toolchain install {PROMISED}`). Clippy's incompatible_msrv lint still \
             checks which parts of std this workspace uses."
        );
    }
    Ok(())
}

fn dependencies() -> Result<()> {
    // --locked checks the versions in the lock file, not those that cargo would resolve today.
    let output = cargo(["metadata", "--format-version", "1", "--locked"]).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let audit = audit(&serde_json::from_slice(&output.stdout)?, PROMISED)?;
    if !audit.too_new.is_empty() {
        bail!(
            "this workspace promises Rust {PROMISED}, but these dependencies need a newer one:\n    {}",
            audit.too_new.join("\n    ")
        );
    }
    println!(
        "Done: of {} dependencies, none declares a newer Rust than {PROMISED} ({} declare none).",
        audit.declared + audit.silent,
        audit.silent
    );
    Ok(())
}

/// How many dependencies declare a Rust version and how many do not, and those that need a newer one.
struct Audit {
    declared: usize,
    silent: usize,
    too_new: Vec<String>,
}

/// Audits the packages in the output of `cargo metadata`, except the workspace's own.
fn audit(metadata: &Value, promised: &str) -> Result<Audit> {
    let promised: Version = promised.parse()?;
    let members = metadata["workspace_members"].as_array().context("no workspace_members")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut audit = Audit { declared: 0, silent: 0, too_new: Vec::new() };
    for package in packages.iter().filter(|package| !members.contains(&package["id"])) {
        let Some(needed) = package["rust_version"].as_str() else {
            audit.silent += 1;
            continue;
        };
        audit.declared += 1;
        let needed: Version = needed.parse()?;
        if needed > promised {
            let text = |key: &str| package[key].as_str().unwrap_or("?").to_owned();
            audit.too_new.push(format!("{} {} needs Rust {needed}", text("name"), text("version")));
        }
    }
    ensure!(audit.declared > 0, "no dependency declares a Rust version: the metadata was not understood");
    Ok(audit)
}

/// A Rust version, ordered by its numbers. A missing number counts as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl std::str::FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
        match numbers.with_context(|| format!("{text:?} is not a Rust version"))?[..] {
            [major] => Ok(Self { major, minor: 0, patch: 0 }),
            [major, minor] => Ok(Self { major, minor, patch: 0 }),
            [major, minor, patch] => Ok(Self { major, minor, patch }),
            _ => bail!("{text:?} is not a Rust version"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions_compare_by_number_not_by_letter() -> Result<()> {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("1.9")? < version("1.88")?);
        assert!(version("1.88.1")? > version("1.88")?);
        assert_eq!(version("1.88.0")?, version("1.88")?);
        assert!(version("1.x").is_err() && version("").is_err() && version("1.2.3.4").is_err());
        Ok(())
    }

    fn metadata() -> Value {
        json!({
            "workspace_members": ["ours"],
            "packages": [
                {"id": "ours", "name": "ours", "version": "0.1.0", "rust_version": "1.99"},
                {"id": "a", "name": "equal", "version": "1.0.0", "rust_version": "1.88.0"},
                {"id": "b", "name": "silent", "version": "2.0.0", "rust_version": null},
                {"id": "c", "name": "newer", "version": "3.0.0", "rust_version": "1.88.1"},
            ],
        })
    }

    #[test]
    fn only_a_dependency_that_needs_a_newer_rust_is_named() -> Result<()> {
        let audit = audit(&metadata(), "1.88")?;
        assert_eq!(audit.too_new, ["newer 3.0.0 needs Rust 1.88.1"]);
        assert_eq!((audit.declared, audit.silent), (2, 1));
        Ok(())
    }

    #[test]
    fn metadata_without_any_declaration_is_an_error() {
        let silent = json!({
            "workspace_members": [],
            "packages": [{"id": "a", "name": "a", "version": "1.0.0"}],
        });
        assert!(audit(&silent, "1.88").is_err());
        assert!(audit(&json!({}), "1.88").is_err());
    }
}
