//! The device tests on a second driver: SwiftShader, which comes with Chromium. Its subgroups have 4 lanes instead of
//! lavapipe's 8, it has no f16, and it may differ from lavapipe where WGSL leaves a result open.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{cargo, heading, run, shown, tool};
use crate::install::{self, Need};

/// The places where Chromium and Chrome keep the driver's manifest.
const MANIFESTS: [&str; 4] = [
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
    "/usr/lib64/chromium-browser/vk_swiftshader_icd.json",
    "/opt/google/chrome/vk_swiftshader_icd.json",
];

/// Runs the device tests on SwiftShader, which is installed first if it is missing and that is allowed.
pub(crate) fn device_tests() -> Result<()> {
    let manifest = manifest()?;
    check(manifest)?;
    heading("device tests on SwiftShader");
    run(on(manifest, &mut cargo(["test", "--test", "device"])))
}

fn on<'a>(manifest: &str, command: &'a mut Command) -> &'a mut Command {
    println!("# with VK_DRIVER_FILES={manifest}");
    command.env("VK_DRIVER_FILES", manifest)
}

/// Returns the path of the driver's manifest, and installs the driver if it is missing.
fn manifest() -> Result<&'static str> {
    ensure!(cfg!(target_os = "linux"), "SwiftShader is looked for on Linux only");
    let found = || MANIFESTS.into_iter().find(|manifest| Path::new(manifest).exists());
    if found().is_none() {
        install::install(Need::Browser)?;
    }
    found().with_context(|| format!("none of these files exists: {}", MANIFESTS.join(", ")))
}

/// Returns an error if the library does not build or does not find the driver.
fn check(manifest: &str) -> Result<()> {
    let mut info = tool(&["info"])?;
    let output = on(manifest, &mut info).output()?;
    let answer = String::from_utf8_lossy(&output.stdout);
    ensure!(
        answer.contains("SwiftShader"),
        "`{}` does not find SwiftShader with this manifest:\n{answer}",
        shown(&info)
    );
    Ok(())
}
