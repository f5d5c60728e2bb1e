//! `deform shaders`: the WGSL that reaches the driver, one file a kernel and storage of its operands.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use deform::kernel::{KERNELS, Storage};

/// Write the WGSL of every kernel to a folder, for operands in f32, in f16 and in packed f16.
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
            for (storage, suffix) in [(Storage::F32, ""), (Storage::F16, "_f16"), (Storage::PackedF16, "_packed_f16")] {
                let text = kernel.source(storage, storage);
                // Kernels without operands of the caller's have one variant.
                if storage == Storage::F32 || text != kernel.source(Storage::F32, Storage::F32) {
                    let name = format!("{}{suffix}.wgsl", kernel.name.replace('/', "_"));
                    let path = self.out.join(name);
                    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
                    println!("{}", path.display());
                }
            }
        }
        Ok(())
    }
}
