//! Everything that needs no GPU.

use anyhow::Result;

use crate::command::{cargo, heading, run};
use crate::{kernels, msrv, shaders, web};

/// Stops at the first failure.
pub(crate) fn check() -> Result<()> {
    heading("format");
    run(&mut cargo(["fmt", "--all", "--check"]))?;
    for own_workspace in ["web", "recipes/egui", "recipes/burn"] {
        run(&mut cargo(["fmt", "--manifest-path", &format!("{own_workspace}/Cargo.toml"), "--check"]))?;
    }
    kernels::check()?;
    heading("clippy");
    run(&mut cargo(["clippy", "--all-targets", "--", "-D", "warnings"]))?;
    // A caller who chooses wgpu's backends itself.
    run(&mut cargo(["clippy", "-p", "deform", "--lib", "--no-default-features", "--", "-D", "warnings"]))?;
    // In the crate's own folder, for what the two have in common; wgpu, of which each wants other features, is not. burn's recipe compiles for minutes.
    let egui = ["clippy", "--locked", "--manifest-path", "recipes/egui/Cargo.toml", "--target-dir", "target"];
    run(cargo(egui).args(["--", "-D", "warnings"]))?;
    library_for_the_web()?;
    heading("documentation");
    run(cargo(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    heading("package");
    // What would be published; compiling it again would take minutes. There is no earlier version to compare with.
    run(&mut cargo(["package", "-p", "deform", "--locked", "--no-verify", "--allow-dirty", "--quiet"]))?;
    msrv::msrv()?;
    shaders::check()
}

/// The library as the web gets it, and the page, where Rust's target for it is installed.
fn library_for_the_web() -> Result<()> {
    heading("clippy for the web");
    if !web::target_is_installed()? {
        println!("Not done: the target is not installed. To install it: rustup target add {}", web::TARGET);
        return Ok(());
    }
    // wgpu's objects belong to one thread there, and an Arc of them is an Rc.
    let lints = ["-D", "warnings", "-A", "clippy::arc_with_non_send_sync"];
    // In one folder, for what both want the same of.
    let to_there = ["--target", web::TARGET, "--target-dir", web::BUILD];
    let library = ["clippy", "-p", "deform", "--lib", "--no-default-features", "--features", "webgpu"];
    run(cargo(library).args(to_there).arg("--").args(lints))?;
    run(cargo(["clippy", "--locked", "--manifest-path", "web/Cargo.toml"]).args(to_there).arg("--").args(lints))
}
