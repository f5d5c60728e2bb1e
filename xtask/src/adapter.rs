//! Finds a GPU, or installs a software driver.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{heading, shown};
use crate::install::{self, Need};

/// The exit status of `deform info` if there is no adapter. Every other failure has another status.
const NO_ADAPTER: i32 = 3;

/// Makes sure that there is an adapter. If there is none, it installs Mesa's software driver where that is allowed, and
/// otherwise returns an error: a suite that skips its GPU tests would pass for the wrong reason.
///
/// `info` is the command for `deform info`, because only an adapter that the library itself finds counts.
pub(crate) fn ensure(mut info: Command) -> Result<()> {
    heading("adapter");
    if is_there(&mut info)? {
        return Ok(());
    }
    install::install(Need::Adapter)?;
    if is_there(&mut info)? {
        return Ok(());
    }
    bail!("there is still no adapter, although {} are installed", Need::Adapter.debian_packages().join(" and "))
}

fn is_there(info: &mut Command) -> Result<bool> {
    println!("$ {}", shown(info));
    match info.status().with_context(|| format!("could not start `{}`", shown(info)))?.code() {
        Some(0) => Ok(true),
        Some(NO_ADAPTER) => Ok(false),
        // 101 comes from a panic, or from cargo if the tool does not build.
        Some(code) => bail!("`{}` exited with status {code}: that is a fault, not a missing adapter", shown(info)),
        None => bail!("`{}` was killed by a signal", shown(info)),
    }
}
