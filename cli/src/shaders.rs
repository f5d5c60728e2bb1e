//! `deform shaders`: the WGSL that reaches the driver, one file a kernel.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use deform::kernel::KERNELS;

/// Write the WGSL of every kernel to a folder.
///
/// The text is what the library compiles: the kernel's file with the shared files it uses, ready for any WGSL tool.
#[derive(Args)]
pub(crate) struct Shaders {
    /// The folder to write to; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Shaders {
    pub(crate) fn run(&self) -> Result<()> {
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        for kernel in KERNELS {
            let path = self.out.join(kernel.name.replace('/', "_")).with_extension("wgsl");
            std::fs::write(&path, kernel.source()).with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
        }
        Ok(())
    }
}
