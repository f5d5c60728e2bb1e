//! BiRefNet's ASPPDeformable, a block of a published model, built from the crate's layers:
//! `cargo run --release --example birefnet_aspp [-- --size 32]`.
//!
//! Prints the median time of a forward pass, which `tests/golden/birefnet_aspp.py --time` compares with PyTorch's.

mod aspp;

use std::time::Instant;

use clap::Parser;

use aspp::{AsppDeformable, input, state};
use deform::{Gpu, Result};

const RUNS: usize = 7;

/// Time BiRefNet's ASPPDeformable.
#[derive(Parser)]
struct Arguments {
    /// Height and width of the input
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    size: usize,
}

fn main() -> Result<()> {
    let Arguments { size } = Arguments::parse();
    let gpu = Gpu::new()?;
    let block = AsppDeformable::new(&gpu, &state())?;
    let input = input(&gpu, size, size)?;
    // The first call compiles the shaders and is not timed.
    block.forward(&input)?;
    gpu.wait()?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        block.forward(&input)?;
        gpu.wait()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("ASPPDeformable of {size}×{size} on {}: {:.1} ms", gpu.info().name, times[RUNS / 2]);
    Ok(())
}
