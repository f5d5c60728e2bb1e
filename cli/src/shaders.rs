//! `deform shaders`: writes the WGSL of every kernel, one file per variant.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use deform::kernel::{KERNELS, Sampling, Specialization, Storage};

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

const STORAGES: [(Storage, &str); 3] =
    [(Storage::F32, ""), (Storage::F16, "_f16"), (Storage::PackedF16, "_packed_f16")];

impl Shaders {
    pub(crate) fn run(&self) -> Result<()> {
        std::fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        for kernel in KERNELS {
            let mut written = Vec::new();
            for (sampling, regular) in [(Sampling::Deformed, ""), (Sampling::Regular, "_regular")] {
                for (storage, suffix) in STORAGES {
                    let specialization = Specialization { sampling, ..storage.into() };
                    let text = kernel.expand(specialization).map_err(|error| anyhow!("{error}"))?.text;
                    // For kernels that read neither the caller's operands nor an offset, the texts are the same.
                    if written.contains(&text) {
                        continue;
                    }
                    let name = format!("{}{regular}{suffix}.wgsl", kernel.name.replace('/', "_"));
                    let path = self.out.join(name);
                    std::fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
                    println!("{}", path.display());
                    written.push(text);
                }
            }
        }
        Ok(())
    }
}
