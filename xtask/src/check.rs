//! Everything that needs no GPU.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, heading, run};
use crate::{msrv, shaders};

/// Stops at the first failure.
pub(crate) fn check() -> Result<()> {
    heading("format");
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    heading("clippy");
    run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // A caller who chooses wgpu's backends itself.
    run(&mut cargo(["clippy", "-p", "deform", "--lib", "--no-default-features", "--", "-D", "warnings"]))?;
    web()?;
    heading("documentation");
    run(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    msrv::msrv()?;
    shaders::check()
}

const WEB: &str = "wasm32-unknown-unknown";

/// The library as the web gets it, where Rust's target for it is installed.
fn web() -> Result<()> {
    heading("clippy for the web");
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().context("could not start rustc")?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    if !Path::new(sysroot.trim()).join("lib/rustlib").join(WEB).exists() {
        println!("Not done: the target is not installed. To install it: rustup target add {WEB}");
        return Ok(());
    }
    let features = ["--no-default-features", "--features", "webgpu"];
    // wgpu's objects belong to one thread there, and an Arc of them is an Rc.
    let lints = ["-D", "warnings", "-A", "clippy::arc_with_non_send_sync"];
    run(cargo(["clippy", "-p", "deform", "--lib", "--target", WEB]).args(features).arg("--").args(lints))
}
