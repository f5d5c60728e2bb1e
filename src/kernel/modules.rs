//! The texts of all kernels, for the command line tool.

use super::generated::KERNELS;
use super::specialization::{Sampling, Specialization, Storage};

const STORAGES: [(Storage, &str); 3] =
    [(Storage::F32, ""), (Storage::F16, "_f16"), (Storage::PackedF16, "_packed_f16")];

/// Returns the name and the WGSL of every module whose operands and output are stored alike. Kernels that read neither
/// the caller's operands nor an offset have one module for all specializations.
///
/// # Errors
/// Returns the first malformed directive of a shader file. No file of this crate has one: a test expands them all.
pub fn wgsl_modules() -> Result<Vec<(String, String)>, String> {
    let mut modules = Vec::new();
    for kernel in KERNELS {
        let mut seen = Vec::new();
        for (sampling, regular) in [(Sampling::Deformed, ""), (Sampling::Regular, "_regular")] {
            for (storage, suffix) in STORAGES {
                let specialization = kernel.distinct(Specialization { sampling, ..storage.into() });
                if seen.contains(&specialization) {
                    continue;
                }
                seen.push(specialization);
                let text = kernel.expand(specialization).map_err(|error| error.to_string())?.text;
                modules.push((format!("{}{regular}{suffix}", kernel.name.replace('/', "_")), text));
            }
        }
    }
    Ok(modules)
}
