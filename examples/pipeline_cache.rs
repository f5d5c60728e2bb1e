//! Compiled kernels kept on disk: `cargo run --release --example pipeline_cache` (twice).
//!
//! The program gives wgpu the file of its last run, computes, and writes the file anew. Drivers that fill the cache
//! then compile nothing. The file belongs to one adapter and driver, so its name comes from wgpu.

use std::path::Path;
use std::time::Instant;

use deform::{DeformConv2d, Dtype, Gpu, Inputs, Options, wgpu};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let gpu = Gpu::new()?;
    if !gpu.device().features().contains(wgpu::Features::PIPELINE_CACHE) {
        println!("{} keeps no pipeline cache", gpu.info().name);
        return Ok(());
    }
    let name = wgpu::util::pipeline_cache_key(gpu.info()).ok_or("this backend names no cache")?;
    let file = Path::new("target/pipeline_cache").join(name);
    let data = std::fs::read(&file).ok();
    let bytes = data.as_ref().map_or(0, Vec::len);
    let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: data.as_deref(), fallback: true };
    // SAFETY: the data comes from `get_data` of the same adapter and driver, as the name of the file says, and nothing
    // but this program writes to the folder.
    #[allow(unsafe_code, reason = "wgpu cannot check the data of a cache")]
    let cache = unsafe { gpu.device().create_pipeline_cache(&descriptor) };
    let gpu = gpu.with_pipeline_cache(cache.clone())?;

    let start = Instant::now();
    let shapes: Inputs<&[usize]> =
        Inputs { input: &[1, 64, 64, 64], offset: &[1, 18, 64, 64], weight: &[64, 64, 3, 3], mask: None, bias: None };
    let options = Options { padding: [1, 1], ..Options::default() };
    DeformConv2d::new(&gpu).prepare(&shapes, Dtype::F32, options)?;
    println!("prepared in {:.1} ms, with {bytes} bytes from {}", start.elapsed().as_secs_f64() * 1e3, file.display());

    if let Some(data) = cache.get_data() {
        std::fs::create_dir_all("target/pipeline_cache")?;
        // A file that is replaced as a whole is never half written.
        let new = file.with_extension("new");
        std::fs::write(&new, data)?;
        std::fs::rename(new, file)?;
    }
    Ok(())
}
