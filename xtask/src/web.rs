//! Builds the web page, serves it, and tests it in a browser.

mod browser;
mod page;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tiny_http::{Header, Request, Response, Server};

use crate::command::{cargo, heading, run, succeeds};

/// Rust's target for the web.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The folder of the finished page.
const SITE: &str = "target/web";
/// The target folder of everything that is compiled for the web.
pub(crate) const BUILD: &str = "target/web-build";
/// The size in bytes that the page's wasm file must stay below, because visitors wait for it.
const MOST_BYTES: u64 = 1_500_000;
/// The folder for tools that are not on the path.
const TOOLS: &str = "target/tools";

/// Returns whether Rust's target for the web is installed.
pub(crate) fn target_is_installed() -> Result<bool> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().context("could not start rustc")?;
    Ok(Path::new(String::from_utf8(sysroot.stdout)?.trim()).join("lib/rustlib").join(TARGET).exists())
}

/// Builds the page and serves it until the program is interrupted.
pub(crate) fn web() -> Result<()> {
    build(&bindgen()?)?;
    let server = server()?;
    println!("\nhttp://{} (Ctrl-C to stop)", server.server_addr());
    loop {
        answer(server.recv()?)?;
    }
}

/// Builds the page and tests it in a headless browser.
pub(crate) fn test() -> Result<()> {
    let (bindgen, driver) = (bindgen()?, browser::ensure()?);
    build(&bindgen)?;
    heading("in the browser");
    let server = Arc::new(server()?);
    let site = format!("http://{}", server.server_addr());
    let answering = std::thread::spawn({
        let server = server.clone();
        move || server.incoming_requests().try_for_each(answer)
    });
    let tested = browser::test(&driver, &site, stored()?.len());
    server.unblock();
    answering.join().map_err(|_| anyhow::anyhow!("the page's server panicked"))??;
    tested
}

/// Returns the path of wasm-bindgen's tool in the locked version. If that or Rust's target for the web is missing, it
/// is installed; the tool goes into the target folder.
fn bindgen() -> Result<PathBuf> {
    if !target_is_installed()? {
        let added = run(Command::new("rustup").args(["target", "add", TARGET]));
        added.context("Rust's target for the web is missing")?;
    }
    let version = bindgen_version()?;
    let own = std::path::absolute(TOOLS)?.join("bin/wasm-bindgen");
    let right = |program: &Path| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1) == Some(&version))
    };
    let on_the_path = PathBuf::from("wasm-bindgen");
    if let Some(program) = [on_the_path, own.clone()].into_iter().find(|program| right(program)) {
        return Ok(program);
    }
    heading(&format!("install wasm-bindgen {version}"));
    // Without optimisation, because the tool runs for seconds and compiles for minutes.
    run(cargo(["install", "wasm-bindgen-cli", "--bin", "wasm-bindgen", "--debug", "--version", &version])
        .args(["--root", TOOLS, "--target-dir", "target/tools-build"])
        .env("CARGO_PROFILE_DEV_DEBUG", "none"))?;
    Ok(own)
}

fn build(bindgen: &Path) -> Result<()> {
    heading("page");
    run(cargo(["build", "--release", "--locked", "--target", TARGET, "--manifest-path", "web/Cargo.toml"])
        .args(["--target-dir", BUILD]))?;
    let wasm = Path::new(BUILD).join(TARGET).join("release/deform_web.wasm");
    let package = Path::new(SITE).join("pkg");
    run(Command::new(bindgen).args(["--target", "web", "--no-typescript", "--out-dir"]).arg(&package).arg(wasm))?;
    let wasm = package.join("deform_web_bg.wasm");
    if succeeds(Command::new("wasm-opt").arg("--version")) {
        run(Command::new("wasm-opt").args(["-Os", "--all-features", "-o"]).arg(&wasm).arg(&wasm))?;
    }
    let bytes = std::fs::metadata(&wasm)?.len();
    println!("{} KiB of wasm", bytes >> 10);
    ensure!(bytes < MOST_BYTES, "the wasm file has {bytes} bytes, expected fewer than {MOST_BYTES}");

    let stored = stored()?;
    for file in &stored {
        let to = Path::new(SITE).join(file);
        std::fs::create_dir_all(to.parent().context("a case without a folder")?)?;
        std::fs::copy(Path::new("tests/golden").join(file), to)?;
    }
    let names: Vec<_> = stored.iter().map(|file| file.to_string_lossy().replace('\\', "/")).collect();
    std::fs::write(Path::new(SITE).join("cases.json"), serde_json::to_string(&names)?)?;
    for file in ["index.html", "bend.js", "device.js", "selftest.html", "selftest.js"] {
        std::fs::copy(Path::new("web").join(file), Path::new(SITE).join(file))?;
    }
    std::fs::copy("cli/assets/chelsea.jpg", Path::new(SITE).join("chelsea.jpg"))?;
    Ok(())
}

/// Returns the locked version of wasm-bindgen.
fn bindgen_version() -> Result<String> {
    let lock = std::fs::read_to_string("web/Cargo.lock").context("cannot read web/Cargo.lock")?;
    let after = lock.split("name = \"wasm-bindgen\"\nversion = \"").nth(1);
    let version = after.and_then(|rest| rest.split('"').next());
    Ok(version.context("web/Cargo.lock has no wasm-bindgen")?.to_owned())
}

/// Returns the stored cases of the operators that the page knows, as paths below tests/golden.
fn stored() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for operator in ["deform_conv2d", "deformable_conv2d", "cycle_fc", "shift"] {
        for file in std::fs::read_dir(Path::new("tests/golden").join(operator))? {
            files.push(Path::new(operator).join(file?.file_name()));
        }
    }
    files.sort();
    Ok(files)
}

fn server() -> Result<Server> {
    Server::http("127.0.0.1:0").map_err(|error| anyhow::anyhow!("no port to serve from: {error}"))
}

/// Answers a request with a file of the site.
fn answer(request: Request) -> Result<()> {
    let path = request.url().split('?').next().unwrap_or_default().trim_start_matches('/').to_owned();
    let path = if path.is_empty() { "index.html".to_owned() } else { path };
    // Only files of the site are sent. A browser resolves `..` itself, but another client need not.
    let inside = !path.split('/').any(|part| part == "..");
    let file = inside.then(|| File::open(Path::new(SITE).join(&path)).ok()).flatten();
    let kind = match Path::new(&path).extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    let header =
        Header::from_bytes("content-type", kind).map_err(|()| anyhow::anyhow!("{kind} is not a header value"))?;
    // If the browser has closed the connection, that is no failure of the server.
    let _ = match file {
        Some(file) => request.respond(Response::from_file(file).with_header(header)),
        None => request.respond(Response::empty(404)),
    };
    Ok(())
}
