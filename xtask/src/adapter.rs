//! Finding a GPU, or installing a software one.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{heading, shown};
use crate::install::{self, Need};

/// The exit status of `deform info` that means "no adapter", as against "broken".
const NO_ADAPTER: i32 = 3;

/// Makes sure that there is an adapter, installing Mesa's software one if need be and allowed.
/// Without one this fails, since a suite that skips its GPU tests passes for the wrong reason.
///
/// The library itself is asked, through `deform info`, which the caller knows how to start: what counts is whether *it* finds an adapter.
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
        // 101 is a panic, or cargo's own: the tool did not build.
        Some(code) => bail!("`{}` exited with status {code}: that is a fault, not a missing adapter", shown(info)),
        None => bail!("`{}` was killed by a signal", shown(info)),
    }
}
