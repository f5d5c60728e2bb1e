//! Starts a headless Chromium with a screen as wide as a phone's, and tests the pages in it through WebDriver.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::page::{Page, SCREEN};
use crate::adapter;
use crate::command::{cargo, run, succeeds};
use crate::install::{self, Need};

const DRIVER: &str = "chromedriver";
/// The folder for the files that the page exports.
const DOWNLOADS: &str = "target/web-downloads";
/// The time that all stored cases may take on a slow machine.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// Starts chromedriver, which finds its Chromium by itself, and checks that the two work together. Both are installed
/// first if chromedriver is missing and that is allowed.
pub(super) fn ensure() -> Result<Driver> {
    let found = || succeeds(Command::new(DRIVER).arg("--version"));
    if !found() {
        install::install(Need::Browser)?;
    }
    ensure!(found(), "{DRIVER} was installed, but is not on the path");
    let driver = Driver::start()?;
    runtime()?.block_on(async { anyhow::Ok(open(driver.port, &[]).await?.close().await?) })?;
    Ok(driver)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Tests the pages of `site`, which has this many stored cases.
pub(super) fn test(driver: &Driver, site: &str, cases: usize) -> Result<()> {
    runtime()?.block_on(async {
        let client = open(driver.port, &["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]).await?;
        let tested = visit(&client, site, cases).await;
        // The test's own error comes first: it says more than the failure to close a browser that has crashed.
        tested.and(client.close().await.map_err(Into::into))?;
        let client = open(driver.port, &["--disable-blink-features=WebGPU"]).await?;
        let told = without_webgpu(&client, site).await;
        told.and(client.close().await.map_err(Into::into))
    })
}

/// A running chromedriver, which is ended when this is dropped.
pub(super) struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Starts chromedriver on a free port and waits until it listens there.
    fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(DRIVER).arg(format!("--port={port}")).stdout(Stdio::null()).spawn()?;
        let mut driver = Self { process, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(driver.process.try_wait()?.is_none(), "{DRIVER} ended at once");
            ensure!(start.elapsed() < Duration::from_secs(30), "{DRIVER} does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The process may have ended by itself, so errors are ignored.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn open(port: u16, switches: &[&str]) -> Result<Client> {
    let [width, height] = SCREEN;
    // Containers often have little shared memory, and no user but root.
    let always = ["--headless", "--no-sandbox", "--disable-dev-shm-usage"];
    let options = json!({
        "prefs": { "download.default_directory": std::path::absolute(DOWNLOADS)? },
        "args": always.iter().chain(switches).collect::<Vec<_>>(),
        "mobileEmulation": { "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1, "touch": false } },
    });
    let Value::Object(capabilities) = json!({ "goog:chromeOptions": options }) else { unreachable!("an object") };
    let mut client = ClientBuilder::new(HttpConnector::new());
    client.capabilities(capabilities);
    client.connect(&format!("http://127.0.0.1:{port}")).await.context("could not open a session with the browser")
}

async fn visit(client: &Client, site: &str, cases: usize) -> Result<()> {
    client.goto(&format!("{site}/selftest.html")).await?;
    let done = client.wait().at_most(TIME_LIMIT).for_element(Locator::Css("#state.done")).await?;
    println!("{}", done.text().await?);
    let tested = client.execute("return window.result", vec![]).await?;
    ensure!(tested["wrong"] == json!([]), "these cases are wrong in the browser: {}", tested["wrong"]);
    ensure!(tested["cases"] == cases, "{} cases were run, {cases} are stored", tested["cases"]);
    client.goto(&format!("{site}/index.html")).await?;
    let page = Page::of(client).await?;
    page.gestures().await?;
    page.errors().await?;
    files(&page).await
}

/// Checks that the tool computes an exported call, with the page's output, and that the page opens it again.
async fn files(page: &Page<'_>) -> Result<()> {
    // The browser gives a second file of the same name another name.
    match std::fs::remove_dir_all(DOWNLOADS) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => std::fs::create_dir_all(DOWNLOADS)?,
    }
    let exported = page.export(Path::new(DOWNLOADS)).await?;
    page.import(&exported).await?;
    // `cargo run` and not `tool`, which would also compile the tests.
    let deform = ["run", "--quiet", "-p", "deform-cli", "--"];
    let mut info = cargo(deform);
    info.arg("info");
    adapter::ensure(info)?;
    run(cargo(deform).args(["run", "deform_conv2d"]).arg(&exported))
}

/// Checks what the page says in a browser without WebGPU.
async fn without_webgpu(client: &Client, site: &str) -> Result<()> {
    client.goto(&format!("{site}/index.html")).await?;
    let advice = client.wait().for_element(Locator::Css("#state.wrong")).await?.text().await?;
    ensure!(
        advice.contains("offers no WebGPU") && advice.contains("Firefox from"),
        "without WebGPU the page says: {advice}"
    );
    println!("without WebGPU: {advice}");
    Ok(())
}
