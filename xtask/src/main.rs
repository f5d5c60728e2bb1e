//! The project's chores, run as `cargo xtask <task>`.
//!
//! `demo` and `test` are what a newcomer types; `ci` is what a merge needs but the two programs that .ci/run runs. Each task prints
//! the commands that it runs, so that any of them can be typed by hand.

mod adapter;
mod check;
mod command;
mod install;
mod kernels;
mod msrv;
mod mutate;
mod shaders;
mod swiftshader;
mod validate;
mod web;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::command::{cargo, heading, run, tool};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The deform project's chores")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find a GPU (or install a software one), run the demonstration and write its pictures
    Demo {
        /// Folder for the pictures [default: target/demo]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Arguments for `deform demo`
        #[arg(last = true)]
        extra: Vec<OsString>,
    },
    /// Find a GPU (or install a software one) and run every test, doc tests included
    Test {
        /// Run them under the Khronos validation layer, which must have nothing to report of the device tests (Linux only)
        #[arg(long)]
        validate: bool,
        /// Arguments for `cargo test`
        #[arg(last = true)]
        extra: Vec<OsString>,
    },
    /// Format, clippy, documentation, minimum Rust version, shaders: all that needs no GPU
    Check,
    /// Read every shader and write what the library must know of it: src/kernel/generated.rs
    Kernels,
    /// Build the browser's page and serve it
    Web,
    /// Build the browser's page and run it in a headless Chromium: every stored case, and what a visitor would do
    WebTest {
        /// Say what is missing, where it cannot be installed, and do not fail for it
        #[arg(long)]
        if_possible: bool,
    },
    /// Run the device tests but the largest on SwiftShader, the driver in Chromium: a second one where there is no GPU (Linux only)
    SwiftshaderTest {
        /// Say what is missing, where it cannot be installed, and do not fail for it
        #[arg(long)]
        if_possible: bool,
    },
    /// Check that nothing needs a newer Rust than the workspace's `rust-version`
    Msrv,
    /// Change one operator of the shaders at a time and expect a test to fail (minutes; takes what is committed)
    Mutate {
        /// Only these shaders, as paths from the checkout's root
        files: Vec<PathBuf>,
    },
    /// `check`, then `test` (on Linux with `--validate`), then `swiftshader-test` and `web-test`, both `--if-possible`
    Ci,
}

fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        // Not by returning it from main: a backtrace would bury the line that says what to do.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform() -> Result<()> {
    let task = Xtask::parse().task.with_absolute_paths()?;
    // The alias works in any folder of the checkout; the tasks name paths from its root.
    std::env::set_current_dir(workspace_root()?)?;
    match task {
        Task::Demo { out, extra } => demo(out.as_deref(), &extra),
        Task::Test { validate, extra } => test(validate, &extra),
        Task::Check => check::check(),
        Task::Kernels => kernels::write(),
        Task::Web => web::web(),
        Task::WebTest { if_possible } => web::test(if_possible),
        Task::SwiftshaderTest { if_possible } => swiftshader::device_tests(if_possible),
        Task::Msrv => msrv::msrv(),
        Task::Mutate { files } => {
            adapter::ensure(tool(&["info"])?)?;
            mutate::mutate(&files)
        }
        Task::Ci => {
            check::check()?;
            test(cfg!(target_os = "linux"), &[])?;
            swiftshader::device_tests(true)?;
            web::test(true)
        }
    }
}

impl Task {
    /// A path that the user typed counts from the user's folder, which is about to change.
    fn with_absolute_paths(mut self) -> Result<Self> {
        if let Task::Demo { out: Some(out), .. } = &mut self {
            *out = std::path::absolute(&*out)?;
        }
        Ok(self)
    }
}

fn workspace_root() -> Result<PathBuf> {
    // Read at run time, not with `env!`: a checkout may move and keep its target folder.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    let root = Path::new(&xtask).parent().context("xtask has no parent folder")?;
    Ok(root.to_path_buf())
}

fn demo(out: Option<&Path>, extra: &[OsString]) -> Result<()> {
    // Not with `tool`: who only wants to see it need not compile the tests.
    let deform = ["run", "--quiet", "-p", "deform-cli", "--"];
    let mut info = cargo(deform);
    info.arg("info");
    adapter::ensure(info)?;
    heading("demo");
    run(cargo(deform).args(["demo", "--out"]).arg(out.unwrap_or(Path::new("target/demo"))).args(extra))
}

fn test(validate: bool, extra: &[OsString]) -> Result<()> {
    adapter::ensure(tool(&["info"])?)?;
    heading("test");
    let mut tests = cargo(["test"]);
    tests.args(extra);
    if validate { validate::under_the_layer(tests) } else { run(&mut tests) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Xtask::command().debug_assert();
    }

    #[test]
    fn what_follows_the_dashes_passes_through() {
        let parsed = Xtask::try_parse_from(["xtask", "test", "--validate", "--", "--test", "device"]);
        let Ok(Xtask { task: Task::Test { validate, extra } }) = parsed else { panic!("not parsed as `test`") };
        assert!(validate);
        assert_eq!(extra, ["--test", "device"]);
    }
}
