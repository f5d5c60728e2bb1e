//! Running other programs.

use std::ffi::OsStr;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Returns a command for the cargo that started this program, so that a task stays on one toolchain.
pub(crate) fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    // Mesa's device-select layer prints a line for every instance if this is not set.
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
    command
}

/// Returns a command for the project's own tool, from the build that makes the tests. `cargo run` would compile wgpu a
/// second time, because the tests' other dependencies enable more features of the crates that both use.
pub(crate) fn tool(args: &[&str]) -> Result<Command> {
    run(&mut cargo(["test", "--no-run"]))?;
    // The tool lies beside this program in the target folder.
    let program = std::env::current_exe()?.with_file_name(format!("deform{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}

/// Prints a heading for the next step.
pub(crate) fn heading(step: &str) {
    println!("\n== {step} ==");
}

/// Prints the command, runs it on this terminal, and returns an error unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("could not start `{}`", shown(command)))?;
    ensure!(status.success(), "`{}` failed: {status}", shown(command));
    Ok(())
}

/// Runs the command without showing its output. Returns whether it started and succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Returns the command as one would type it: the program without its folder, then its arguments.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_stem().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_without_its_folder() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["test", "--workspace"]);
        assert_eq!(shown(&command), "cargo test --workspace");
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(&mut cargo(["no-such-subcommand"])).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("cargo no-such-subcommand")));
    }

    #[test]
    fn a_program_that_does_not_exist_does_not_succeed() {
        assert!(!succeeds(&mut Command::new("a-program-that-does-not-exist")));
    }
}
