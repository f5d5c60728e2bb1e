//! The project's development tasks, run as `cargo xtask <task>`.
//!
//! A newcomer needs `demo` and `test`. `ci` runs every check that a merge must pass, except the example program in
//! .ci/run; `nightly` runs what takes long. Each task prints the commands that it runs, so that one can type any of
//! them.

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
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::command::{cargo, heading, run, tool};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development tasks of the deform project")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find a GPU (or install a software driver), run the demonstration and write its pictures
    Demo {
        /// Folder for the pictures [default: target/demo]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Arguments for `deform demo`
        #[arg(last = true)]
        extra: Vec<OsString>,
    },
    /// Find a GPU (or install a software driver) and run the tests, including doc tests; `nightly` has the long ones
    Test {
        /// Run the tests under the Khronos validation layer, which must report nothing about the device tests (Linux
        /// only)
        #[arg(long)]
        validate: bool,
        /// Arguments for `cargo test`
        #[arg(last = true)]
        extra: Vec<OsString>,
    },
    /// Check all that needs no GPU: format, generated kernels, clippy, documentation, package, minimum Rust version,
    /// shaders
    Check,
    /// Read every shader and write the library's description of it to src/kernel/generated.rs
    Kernels,
    /// Build the web page and serve it
    Web,
    /// Build the web page and test it in a headless Chromium, with every stored case and a visitor's gestures
    WebTest,
    /// Run the device tests on SwiftShader, the software driver in Chromium (Linux only)
    SwiftshaderTest,
    /// Check that neither this workspace nor a dependency needs a newer Rust than `rust-version`
    Msrv,
    /// Change one operator of the shaders at a time and expect a test to fail (takes an hour or more for all shaders)
    Mutate {
        /// Change only these shaders or lines: FILE or FILE:LINE, with paths from the checkout's root
        places: Vec<mutate::Place>,
    },
    /// Call what takes files, command lines and shapes with random ones, and expect no panic, no hang and little memory
    Fuzz {
        /// How long to try each
        seconds: u64,
        /// The first seed
        #[arg(default_value_t = 0)]
        seed: u64,
    },
    /// Call every operator with random sizes, by every algorithm, and compare the results with the reference
    Soak {
        /// How long to go on
        seconds: u64,
        /// The first seed
        #[arg(default_value_t = 0)]
        seed: u64,
        /// Use a device with so small bindings and grids that small calls are cut into parts
        #[arg(long)]
        small: bool,
    },
    /// Run `check`, then `test`, on Linux with `--validate`
    Ci,
    /// Run what takes long and rarely fails: the tests that `test` leaves out, `swiftshader-test`, `web-test`, the
    /// recipes, and a compilation of the peer benchmark
    Nightly,
}

fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        // Returning the error from `main` could print a backtrace, which hides the line that says what to do.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform() -> Result<()> {
    let task = Xtask::parse().task.with_absolute_paths()?;
    // `cargo xtask` works in any folder of the checkout, but the tasks use paths relative to its root.
    std::env::set_current_dir(workspace_root()?)?;
    match task {
        Task::Demo { out, extra } => demo(out.as_deref(), &extra),
        Task::Test { validate, extra } => test(validate, &extra),
        Task::Check => check::check(),
        Task::Kernels => kernels::write(),
        Task::Web => web::web(),
        Task::WebTest => web::test(),
        Task::SwiftshaderTest => swiftshader::device_tests(),
        Task::Msrv => msrv::msrv(),
        Task::Mutate { places } => {
            adapter::ensure(info())?;
            mutate::mutate(&places)
        }
        Task::Fuzz { seconds, seed } => fuzz(seconds, seed),
        Task::Soak { seconds, seed, small } => soak(seconds, seed, small),
        Task::Ci => {
            check::check()?;
            test(VALIDATE, &[])
        }
        Task::Nightly => {
            test(VALIDATE, &["--test", "device", "--", "--ignored"].map(OsString::from))?;
            swiftshader::device_tests()?;
            web::test()?;
            recipe("egui", "target")?;
            // burn needs other features of the crates that it shares with this workspace.
            recipe("burn", "target/burn")?;
            heading("the programs of the peer benchmark");
            let peers = "benches/peers/runner/Cargo.toml";
            run(&mut cargo(["check", "--quiet", "--manifest-path", peers, "--target-dir", "target/burn"]))
        }
    }
}

/// Whether the tests run under the validation layer, which exists for Vulkan on Linux.
const VALIDATE: bool = cfg!(target_os = "linux");

/// Runs a recipe, which fails if its results are wrong.
fn recipe(name: &str, target: &str) -> Result<()> {
    heading(&format!("recipe {name}"));
    let manifest = format!("recipes/{name}/Cargo.toml");
    run(&mut cargo(["run", "--quiet", "--locked", "--manifest-path", &manifest, "--target-dir", target]))
}

impl Task {
    /// Makes the user's paths absolute, because the working directory is about to change.
    fn with_absolute_paths(mut self) -> Result<Self> {
        if let Task::Demo { out: Some(out), .. } = &mut self {
            *out = std::path::absolute(&*out)?;
        }
        Ok(self)
    }
}

fn workspace_root() -> Result<PathBuf> {
    // Read at run time instead of with `env!`, because a checkout may move together with its target folder.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    let root = Path::new(&xtask).parent().context("xtask has no parent folder")?;
    Ok(root.to_path_buf())
}

/// Runs the project's own tool. `command::tool` would also compile the tests, which some tasks do not need.
const DEFORM: [&str; 5] = ["run", "--quiet", "-p", "deform-cli", "--"];

fn info() -> Command {
    let mut info = cargo(DEFORM);
    info.arg("info");
    info
}

fn demo(out: Option<&Path>, extra: &[OsString]) -> Result<()> {
    adapter::ensure(info())?;
    heading("demo");
    run(cargo(DEFORM).args(["demo", "--out"]).arg(out.unwrap_or(Path::new("target/demo"))).args(extra))
}

fn fuzz(seconds: u64, seed: u64) -> Result<()> {
    heading("fuzz");
    let mut tests = cargo([
        "test",
        "--profile=soak",
        "-p",
        "deform",
        "-p",
        "deform-cli",
        "--lib",
        "--bins",
        "--test",
        "pure",
        "--",
        "--ignored",
        "fuzz_",
        "--nocapture",
    ]);
    run(tests.env("DEFORM_FUZZ_SECONDS", seconds.to_string()).env("DEFORM_FUZZ_SEED", seed.to_string()))
}

fn soak(seconds: u64, seed: u64, small: bool) -> Result<()> {
    adapter::ensure(tool(&["info"])?)?;
    heading("soak");
    let mut tests = cargo(["test", "--profile=soak", "--test", "device", "--", "--ignored", "soak::", "--nocapture"]);
    if small {
        tests.env("DEFORM_SMALL_LIMITS", "1");
    }
    run(tests.env("DEFORM_SOAK_SECONDS", seconds.to_string()).env("DEFORM_SOAK_SEED", seed.to_string()))
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
    fn arguments_after_the_dashes_pass_through() {
        let parsed = Xtask::try_parse_from(["xtask", "test", "--validate", "--", "--test", "device"]);
        let Ok(Xtask { task: Task::Test { validate, extra } }) = parsed else { panic!("not parsed as `test`") };
        assert!(validate);
        assert_eq!(extra, ["--test", "device"]);
    }
}
