//! A second opinion on the shaders: Tint, the compiler in Chromium, rejects WGSL that naga accepts
//! (a barrier that not every invocation reaches, for one).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{heading, run, tool};

/// Where the kernels' assembled sources go.
const ASSEMBLED: &str = "target/shaders";

/// Compiles every kernel with `tint`, if it is on the path; says so if it is not.
pub(crate) fn check() -> Result<()> {
    heading("shaders");
    if Command::new("tint").arg("--help").output().is_err() {
        println!(
            "Not done: compiling the shaders with tint, which is not on the path. \
             The tests parse them with naga.",
        );
        return Ok(());
    }
    for kernel in assembled()? {
        compile(&kernel)?;
    }
    Ok(())
}

/// Writes every kernel's source as the library hands it to wgpu; returns the files.
fn assembled() -> Result<Vec<PathBuf>> {
    // A kernel that no longer exists must not linger.
    if Path::new(ASSEMBLED).exists() {
        std::fs::remove_dir_all(ASSEMBLED)?;
    }
    run(&mut tool(&["shaders", "--out", ASSEMBLED])?)?;
    let entries = std::fs::read_dir(ASSEMBLED).with_context(|| format!("no folder {ASSEMBLED} was written"))?;
    let mut kernels = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    kernels.retain(|path| path.extension().is_some_and(|extension| extension == "wgsl"));
    kernels.sort();
    ensure!(!kernels.is_empty(), "no kernel was written to {ASSEMBLED}");
    Ok(kernels)
}

fn compile(kernel: &Path) -> Result<()> {
    // tint wants the extension named that naga 30 does not know by name.
    let text = std::fs::read_to_string(kernel)?;
    if text.contains("subgroup_invocation_id") {
        std::fs::write(kernel, format!("enable subgroups;\n{text}"))?;
    }
    // WGSL to WGSL: any build of tint can write it, and the checks come before the writing.
    let output = Command::new("tint").arg("--format=wgsl").arg(kernel).output()?;
    let remarks = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("tint rejects {}:\n{remarks}", kernel.display());
    }
    println!("tint accepts {}", kernel.display());
    eprint!("{remarks}");
    Ok(())
}
