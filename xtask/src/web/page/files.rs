//! The case files that a visitor exports and opens.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Page;

/// The time after which a download counts as failed.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// A script that returns the chosen kernel.
const KERNEL: &str = "
    const [size, dilation, v2] = ['size', 'dilation', 'v2'].map(id => document.getElementById(id));
    return `${size.value} ${dilation.value} ${v2.checked}`;";

impl Page<'_> {
    /// Exports the shown call to the browser's folder for downloads. Returns the path of the file.
    pub(in crate::web) async fn export(&self, downloads: &Path) -> Result<PathBuf> {
        self.click("export").await?;
        let state = self.state().await?;
        ensure!(state.contains("deform run deform_conv2d bent.safetensors"), "after the export the page says: {state}");
        let file = downloads.join("bent.safetensors");
        let start = Instant::now();
        // The browser gives the file its name when it is complete.
        while !file.exists() {
            ensure!(start.elapsed() < TIME_LIMIT, "{} has not been downloaded", file.display());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(file)
    }

    /// Opens the case that shows on the page and was exported to `exported`, and cases of other origin. Writes those
    /// beside it.
    pub(in crate::web) async fn import(&self, exported: &Path) -> Result<()> {
        self.change().await?;
        let kernel = self.client.execute(KERNEL, vec![]).await?;
        self.client.execute("window.exported = window.before", vec![]).await?;
        self.choose("size", "1×1").await?;
        self.choose("dilation", "2").await?;
        self.click("v2").await?;
        self.click("reset").await?;
        let straight = self.change().await?;
        ensure!(straight > 1.0, "without points the picture differs by {straight}");

        let state = self.open(exported).await?;
        ensure!(state.contains(" 1 point: max abs error 0.0 against"), "after the import the page says: {state}");
        self.client.execute("window.before = window.exported", vec![]).await?;
        let difference = self.change().await?;
        ensure!(difference == 0.0, "the imported picture is {difference} off the exported one");
        let imported = self.client.execute(KERNEL, vec![]).await?;
        ensure!(imported == kernel, "the exported kernel is {kernel}, the imported one {imported}");
        // Only a drag that starts at the end of the point leaves one point.
        self.drag([20.0, 10.0], [40.0, 30.0]).await?;
        let dragged = self.change().await?;
        let state = self.state().await?;
        ensure!(dragged > 0.1 && state.contains(" 1 point:"), "a drag changes the import by {dragged}: {state}");
        self.click("original").await?;
        let input = self.change().await?;
        ensure!(input > 1.0, "the input differs from the output by {input}");
        self.click("original").await?;

        let other = exported.with_file_name("other.safetensors");
        std::fs::write(&other, of_other_origin(&std::fs::read(exported)?)?)?;
        let state = self.open(&other).await?;
        ensure!(
            state.contains("cannot be dragged: max abs error 0.50 against"),
            "for a case without points the page says: {state}"
        );
        self.change().await?;
        self.drag([20.0, 10.0], [40.0, 30.0]).await?;
        let dragged = self.change().await?;
        ensure!(dragged == 0.0, "a drag changes the case without points by {dragged}");
        let taps = self.hover().await?;
        ensure!(taps > 0.0, "the case without points shows no tap under the mouse");

        let truncated = exported.with_file_name("truncated.safetensors");
        std::fs::write(&truncated, &std::fs::read(exported)?[..1000])?;
        for (file, words) in [
            (truncated.as_path(), "not a safetensors file"),
            (Path::new("tests/golden/shift/roll.safetensors"), "operand offset is missing"),
            (Path::new("tests/golden/deform_conv2d/v2.safetensors"), "expected [1, 3, height, width]"),
            (Path::new("tests/golden/deform_conv2d/k7.safetensors"), "output has shape [1, 5, 12, 10]"),
        ] {
            let state = self.open(file).await?;
            ensure!(self.state_is_wrong().await? && state.contains(words), "{} as a case: {state}", file.display());
            println!("{}: {state}", file.display());
        }
        let state = self.open(Path::new("cli/assets/chelsea.jpg")).await?;
        ensure!(
            state.contains(" 0 points") && !self.state_is_wrong().await?,
            "after wrong cases the page says: {state}"
        );
        Ok(())
    }
}

/// Returns a case that differs from the exported one: it has no points, and its output has 0.5 more in the last element.
fn of_other_origin(exported: &[u8]) -> Result<Vec<u8>> {
    // A safetensors file is the length of a JSON header, the header and the tensors' bytes.
    let (length, rest) = exported.split_first_chunk().context("the exported file is empty")?;
    let (header, data) = rest.split_at_checked(u64::from_le_bytes(*length).try_into()?).context("no whole header")?;
    let tensors: Value = serde_json::from_slice(header)?;
    let end = tensors["output"]["data_offsets"][1].as_u64().context("the exported file has no output")?;
    let mut data = data.to_vec();
    let last = data[..end.try_into()?].last_chunk_mut().context("the exported output is empty")?;
    *last = (f32::from_le_bytes(*last) + 0.5).to_le_bytes();
    // The answers of other implementations have this prefix, and nothing reads them.
    let header = std::str::from_utf8(header)?.replacen("\"points\"", "\"mmcv.output\"", 1);
    let length = (header.len() as u64).to_le_bytes();
    Ok([&length, header.as_bytes(), &data].concat())
}
