//! `deform shaders`: writes the WGSL of every kernel, one file per variant.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;

/// Write the WGSL of every kernel to a folder, for operands in f32, f16 and packed f16, with and without an offset.
///
/// Each file holds the text that the library compiles, with all shared files included, and can be given to any WGSL
/// tool.
#[derive(Args)]
pub(crate) struct Shaders {
    /// The folder to write to; created if it does not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Shaders {
    pub(crate) fn run(&self) -> Result<()> {
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        for (name, text) in deform::wgsl_modules().map_err(|error| anyhow!(error))? {
            let path = self.out.join(name).with_extension("wgsl");
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
        }
        Ok(())
    }
}
