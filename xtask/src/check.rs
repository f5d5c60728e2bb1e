//! `cargo xtask check`: the checks that need no GPU.

use anyhow::Result;

use crate::command::{cargo, heading, run};
use crate::{kernels, msrv, shaders, web};

/// Runs the checks one after the other, up to the first failure.
pub(crate) fn check() -> Result<()> {
    heading("format");
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    for own_workspace in ["web", "recipes/egui", "recipes/burn"] {
        run(&mut cargo(["fmt", "--manifest-path", &format!("{own_workspace}/Cargo.toml"), "--check"]))?;
    }
    kernels::check()?;
    heading("clippy");
    run(&mut cargo(["clippy", "--all-targets", "--", "-D", "warnings"]))?;
    // The library for a caller who chooses wgpu's backends.
    run(&mut cargo(["clippy", "-p", "deform", "--lib", "--no-default-features", "--", "-D", "warnings"]))?;
    // This recipe uses the crate's target folder, because the two share dependencies (except wgpu, whose features
    // differ). burn's recipe is left out: it compiles for minutes.
    let egui = ["clippy", "--locked", "--manifest-path", "recipes/egui/Cargo.toml", "--target-dir", "target"];
    run(cargo(egui).args(["--", "-D", "warnings"]))?;
    library_for_the_web()?;
    heading("documentation");
    run(cargo(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    heading("package");
    // --no-verify, because compiling the package again would take minutes. No version is published yet that the API
    // could be compared with.
    run(&mut cargo(["package", "-p", "deform", "--locked", "--no-verify", "--allow-dirty", "--quiet"]))?;
    msrv::msrv()?;
    shaders::check()
}

/// Runs clippy on the library and the page as built for the web, if Rust's target for the web is installed.
fn library_for_the_web() -> Result<()> {
    heading("clippy for the web");
    if !web::target_is_installed()? {
        println!("Not done: the target is not installed. To install it: rustup target add {}", web::TARGET);
        return Ok(());
    }
    // On the web wgpu's objects are neither Send nor Sync, and this lint rejects every Arc of them.
    let lints = ["-D", "warnings", "-A", "clippy::arc_with_non_send_sync"];
    // Both use one target folder, to share dependencies.
    let to_there = ["--target", web::TARGET, "--target-dir", web::BUILD];
    let library = ["clippy", "-p", "deform", "--lib", "--no-default-features", "--features", "webgpu"];
    run(cargo(library).args(to_there).arg("--").args(lints))?;
    run(cargo(["clippy", "--locked", "--manifest-path", "web/Cargo.toml"]).args(to_there).arg("--").args(lints))
}
