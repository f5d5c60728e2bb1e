//! `deform tune`: measures which algorithm is fastest for a layer on the adapter, and stores the result in a file.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use deform::ops::deform_conv2d::{Geometry, Tuning};
use deform::{DeformConv2d, Gpu};

use crate::bench::layers::{LAYERS, layer_names};
use crate::case::Case;
use crate::{info, numbers, out};

/// Measure which algorithm is fastest for a shape, and store the result in a file.
///
/// Results for other devices, drivers and shapes that the file already holds are kept. `deform bench --tuning FILE`
/// uses the file, as does any program that loads it with Tuning::load.
#[derive(Args)]
pub(crate) struct Tune {
    /// The file to store the results in; created if it does not exist
    #[arg(long, value_name = "FILE")]
    memory: PathBuf,
    /// A layer to tune; can be repeated
    #[arg(long = "layer", value_name = "NAME", value_parser = layer_names())]
    layers: Vec<String>,
    /// A safetensors file with the operands of a call to tune; can be repeated
    #[arg(long = "case", value_name = "FILE")]
    cases: Vec<PathBuf>,
    /// Start no further algorithm for a shape after this many seconds
    #[arg(long, value_name = "S", default_value = "5", value_parser = numbers::count, allow_negative_numbers = true)]
    seconds: u32,
}

impl Tune {
    pub(crate) fn run(&self) -> Result<()> {
        ensure!(!self.layers.is_empty() || !self.cases.is_empty(), "nothing to tune: give --layer or --case");
        let cases: Vec<_> = self.cases.iter().map(PathBuf::as_path).collect();
        out::check_distinct(&self.memory, &cases)?;
        let tuning = Tuning::load(&self.memory)?;
        // The file is tried before anything is measured.
        tuning.save(&self.memory)?;
        let gpu = Gpu::new()?;
        println!("adapter  {}", info::describe(gpu.info()));
        let op = DeformConv2d::with_tuning(&gpu, tuning);
        let layers = LAYERS.iter().filter(|layer| self.layers.iter().any(|name| name == layer.name));
        let named = layers.map(|layer| anyhow::Ok((layer.name.to_owned(), layer.operands(), layer.options())));
        let cases = self.cases.iter().map(|path| {
            let case = Case::read(path)?;
            anyhow::Ok((case.name, case.operands, case.options))
        });
        for call in named.chain(cases) {
            let (name, operands, options) = call?;
            let geometry = Geometry::new(operands.map(|operand| operand.shape.as_slice()), &options)?;
            let inputs = deform_case::upload(&gpu, &operands)?;
            let time = Duration::from_secs(self.seconds.into());
            let algorithm = op.tune(&inputs.as_ref(), options, time)?;
            println!("{name}: {algorithm} ({geometry})");
            // Saved after each call, so that an interruption loses one measurement only.
            op.tuning().save(&self.memory)?;
        }
        Ok(())
    }
}
