//! Checks the shaders with tint, the compiler in Chromium. It rejects WGSL that naga accepts, such as a barrier that
//! not every invocation reaches.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::heading;
use crate::kernels::{self, Expanded};

/// The folder that tint reads the modules from.
const EXPANDED: &str = "target/shaders";

/// Compiles every module with `tint`. Only prints a notice if `tint` is not on the path.
pub(crate) fn check() -> Result<()> {
    heading("shaders");
    if Command::new("tint").arg("--help").output().is_err() {
        println!(
            "Not done: compiling the shaders with tint, which is not on the path. The tests parse them with naga."
        );
        return Ok(());
    }
    std::fs::create_dir_all(EXPANDED).with_context(|| format!("cannot create {EXPANDED}"))?;
    let modules = kernels::modules()?;
    for (name, module) in &modules {
        compile(&Path::new(EXPANDED).join(format!("{name}.wgsl")), module)?;
    }
    println!("tint accepts all {} modules", modules.len());
    Ok(())
}

fn compile(path: &Path, module: &Expanded) -> Result<()> {
    // tint requires this directive, which naga 30 does not know. It stands on the module's first line, so that the line
    // numbers stay the same.
    let enable = if module.text.contains("subgroup_invocation_id") { "enable subgroups; " } else { "" };
    std::fs::write(path, format!("{enable}{}", module.text))?;
    // Every build of tint can write WGSL, and the checks come before the writing.
    let output = Command::new("tint").arg("--format=wgsl").arg(path).output()?;
    if !output.status.success() {
        let remarks = String::from_utf8_lossy(&output.stderr);
        bail!("tint rejects {}:\n{}", path.display(), by_origin(&remarks, module));
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Returns tint's remarks. The place in the shader file follows each remark that names a line of the module.
fn by_origin(remarks: &str, module: &Expanded) -> String {
    let line_of = |remark: &str| remark.split(".wgsl:").nth(1)?.split(':').next()?.parse().ok();
    let lines = remarks.lines().map(|remark| match line_of(remark) {
        Some(line) => format!("{remark} ({})\n", kernels::place(module, line)),
        None => format!("{remark}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_names_the_file_and_the_line() {
        let module = Expanded {
            text: "a\nb\n".to_owned(),
            origins: vec![("x/y".to_owned(), 7), ("x/z".to_owned(), 9)],
            ..Expanded::default()
        };
        let remarks = by_origin("target/shaders/k.wgsl:2:5 error: no\n  b\n", &module);
        assert_eq!(remarks, "target/shaders/k.wgsl:2:5 error: no (shaders/x/z.wgsl:9)\n  b\n");
    }
}
