//! `deform tune`: measures which algorithm is fastest for a layer on the adapter, and keeps that in a file.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use deform::ops::deform_conv2d::Geometry;
use deform::{DeformConv2d, Gpu, Tuning};

use crate::bench::layers::{LAYERS, layer_names};
use crate::case::{self, Case};
use crate::info;

/// Measure which algorithm is fastest, and remember it in a file.
///
/// The file keeps what was measured for other devices, drivers and shapes. `deform bench --tuning FILE` goes by it, and so does any
/// program that reads it with Tuning::load.
#[derive(Args)]
pub(crate) struct Tune {
    /// The file to keep the results in; it is made when it is not there
    #[arg(long, value_name = "FILE")]
    memory: PathBuf,
    /// A layer to tune; may be given several times
    #[arg(long = "layer", value_name = "NAME", value_parser = layer_names())]
    layers: Vec<String>,
    /// A safetensors file with the operands of a call to tune; may be given several times
    #[arg(long = "case", value_name = "FILE")]
    cases: Vec<PathBuf>,
    /// Try no further algorithm for a shape once this much time has passed
    #[arg(long, value_name = "S", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

impl Tune {
    pub(crate) fn run(&self) -> Result<()> {
        ensure!(!self.layers.is_empty() || !self.cases.is_empty(), "nothing to tune: give --layer or --case");
        let gpu = Gpu::new()?;
        println!("adapter  {}", info::describe(gpu.info()));
        let op = DeformConv2d::with_tuning(&gpu, Tuning::load(&self.memory)?);
        let layers = LAYERS.iter().filter(|layer| self.layers.iter().any(|name| name == layer.name));
        let named = layers.map(|layer| anyhow::Ok((layer.name.to_owned(), layer.operands(), layer.options())));
        let cases = self.cases.iter().map(|path| {
            let case = Case::read(path)?;
            anyhow::Ok((case.name, case.operands, case.options))
        });
        for call in named.chain(cases) {
            let (name, operands, options) = call?;
            let geometry = Geometry::new(operands.map(|operand| operand.shape.as_slice()), &options)?;
            let inputs = case::upload(&gpu, &operands)?;
            let time = Duration::from_secs(self.seconds.into());
            let algorithm = op.tune(&inputs.map(|tensor| tensor), options, time)?;
            println!("{name}: {algorithm} ({geometry})");
            // After each, so that an interruption costs one.
            op.tuning().save(&self.memory)?;
        }
        Ok(())
    }
}
