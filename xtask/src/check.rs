//! Everything that needs no GPU.

use anyhow::Result;

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
    heading("documentation");
    run(cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    msrv::msrv()?;
    shaders::check()
}
