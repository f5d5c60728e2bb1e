//! The device tests on a second driver: SwiftShader, which comes with Chromium. Its subgroups have 4 lanes where lavapipe's have 8, it has no f16,
//! and where WGSL leaves a result open it need not be lavapipe's. The layers of real sizes are left out: they ask what fits before what comes out,
//! and would take a third of the time.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{cargo, heading, run, shown, tool};
use crate::install::{self, Need};

/// Where Chromium, and Chrome, keep the driver's manifest.
const MANIFESTS: [&str; 4] = [
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
    "/usr/lib64/chromium-browser/vk_swiftshader_icd.json",
    "/opt/google/chrome/vk_swiftshader_icd.json",
];

/// Runs the device tests on it, installing it if need be and allowed. With `if_possible` a driver that is missing and cannot be had is said, and
/// no failure.
pub(crate) fn device_tests(if_possible: bool) -> Result<()> {
    let manifest = match manifest() {
        Ok(manifest) => manifest,
        Err(error) if if_possible => {
            println!("Not done: the device tests on SwiftShader. {error:#}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    check(manifest)?;
    heading("device tests on SwiftShader");
    run(on(manifest, &mut cargo(["test", "--test", "device", "--", "--skip", "large::"])))
}

fn on<'a>(manifest: &str, command: &'a mut Command) -> &'a mut Command {
    println!("# with VK_DRIVER_FILES={manifest}");
    command.env("VK_DRIVER_FILES", manifest)
}

/// The driver's manifest.
fn manifest() -> Result<&'static str> {
    ensure!(cfg!(target_os = "linux"), "it is looked for on Linux only");
    let found = || MANIFESTS.into_iter().find(|manifest| Path::new(manifest).exists());
    if found().is_none() {
        install::install(Need::Browser)?;
    }
    found().with_context(|| format!("none of {} is there", MANIFESTS.join(", ")))
}

/// The library itself must find the driver. That it does not, or does not build, is never excused.
fn check(manifest: &str) -> Result<()> {
    let mut info = tool(&["info"])?;
    let output = on(manifest, &mut info).output()?;
    let answer = String::from_utf8_lossy(&output.stdout);
    ensure!(answer.contains("SwiftShader"), "`{}` finds another driver with it:\n{answer}", shown(&info));
    Ok(())
}
