//! The case files that a visitor exports.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fantoccini::Locator;

use super::Page;

/// The time after which a download counts as failed.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl Page<'_> {
    /// Exports the shown call to the browser's folder for downloads. Returns the path of the file.
    pub(in crate::web) async fn export(&self, downloads: &Path) -> Result<PathBuf> {
        self.client.find(Locator::Id("export")).await?.click().await?;
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
}
