//! Finding a GPU, or installing a software one.

use anyhow::{Result, bail};

use crate::command::{cargo, heading, shown};
use crate::install::{self, Need};

/// The exit status of `deform info` that means "no adapter", as against "broken".
const NO_ADAPTER: i32 = 3;

/// Makes sure that there is an adapter, installing Mesa's software one if need be and allowed.
/// Without one this fails, since a suite that skips its GPU tests passes for the wrong reason.
pub(crate) fn ensure() -> Result<()> {
    heading("adapter");
    if is_there()? {
        return Ok(());
    }
    install::install(Need::Adapter)?;
    if is_there()? {
        return Ok(());
    }
    bail!("there is still no adapter, although {} are installed", Need::Adapter.debian_packages().join(" and "))
}

/// Asks the library itself, through the project's own tool: what counts is whether *it* finds an
/// adapter.
fn is_there() -> Result<bool> {
    let mut info = cargo(["run", "--quiet", "-p", "deform-cli", "--", "info"]);
    println!("$ {}", shown(&info));
    match info.status()?.code() {
        Some(0) => Ok(true),
        Some(NO_ADAPTER) => Ok(false),
        // 101 is cargo's own: the tool did not build.
        Some(code) => bail!("`{}` exited with status {code}: that is a fault, not a missing adapter", shown(&info)),
        None => bail!("`{}` was killed by a signal", shown(&info)),
    }
}
