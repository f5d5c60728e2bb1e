//! Runs one peer, deform or burn, on the layers that peers.py sends: `deform-peers deform` or `deform-peers burn`.
//!
//! Each line of stdin is a request. Its answer is one line of JSON on stdout:
//!
//! ```text
//! info                     returns the adapter and the peer's version
//! layer IN_CHANNELS OUT_CHANNELS HEIGHT WIDTH OFFSET_GROUPS BATCH GROUPS FOLDER   uploads the operands in FOLDER
//! time ITERATIONS          computes the output ITERATIONS times and returns the milliseconds of each computation
//! output FILE              computes the output once and writes it to FILE
//! both ITERATIONS          like time, for the output and then all gradients; deform only
//! gradients FOLDER         computes all gradients once and writes grad_input.f32 and the others to FOLDER; deform only
//! ```
//!
//! A request that fails ends the process, with the reason on stderr.

mod burn_peer;
mod deform_peer;
mod layer;

use std::fmt::Debug;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::burn_peer::BurnPeer;
use crate::deform_peer::DeformPeer;
use crate::layer::Layer;

/// An implementation on its own device.
trait Peer {
    /// Returns the adapter's name, backend and driver.
    fn adapter(&self) -> String;

    /// Uploads the layer's operands and waits for them.
    fn load(&mut self, layer: &Layer) -> Result<()>;

    /// Computes the loaded layer's output and waits for it, without reading it back.
    fn run(&self) -> Result<()>;

    /// Computes the loaded layer's output and reads it back.
    fn output(&self) -> Result<Vec<f32>>;

    /// Computes the loaded layer's output, then all gradients, and waits for them.
    fn run_both(&self) -> Result<()> {
        bail!("this peer's gradients are not measured")
    }

    /// Computes all gradients, reads them back and returns them with their names.
    fn gradients(&self) -> Result<Vec<(String, Vec<f32>)>> {
        bail!("this peer's gradients are not measured")
    }
}

/// Describes an adapter in one line, which peers.py compares between the peers. The parameters are fields instead of an
/// `AdapterInfo`, because burn may use another version of wgpu.
fn describe(name: &str, backend: impl Debug, driver: &str, driver_info: &str) -> String {
    format!("{name}, {backend:?}, driver {driver} {driver_info}")
}

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut peer: Box<dyn Peer> = match name.as_str() {
        "deform" => Box::new(DeformPeer::new()?),
        "burn" => Box::new(BurnPeer::new()?),
        _ => bail!("usage: deform-peers deform|burn"),
    };
    for line in std::io::stdin().lines() {
        let line = line?;
        let answer = match line.as_str() {
            "info" => json!({ "adapter": peer.adapter(), "version": version(&name) }),
            _ => answer(peer.as_mut(), &line).with_context(|| line.clone())?,
        };
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn answer(peer: &mut dyn Peer, line: &str) -> Result<Value> {
    let (request, arguments) = line.split_once(' ').unwrap_or((line, ""));
    match request {
        "layer" => {
            peer.load(&Layer::read(arguments)?)?;
            Ok(Value::Null)
        }
        "time" => {
            let iterations: u32 = arguments.parse()?;
            let times: Result<Vec<f64>> = (0..iterations).map(|_| time(|| peer.run())).collect();
            Ok(times?.into())
        }
        "both" => {
            let iterations: u32 = arguments.parse()?;
            let times: Result<Vec<f64>> = (0..iterations).map(|_| time(|| peer.run_both())).collect();
            Ok(times?.into())
        }
        "gradients" => {
            for (name, values) in peer.gradients()? {
                let path = Path::new(arguments).join(name).with_extension("f32");
                std::fs::write(path, bytemuck::cast_slice(&values))?;
            }
            Ok(Value::Null)
        }
        "output" => {
            std::fs::write(arguments, bytemuck::cast_slice(&peer.output()?))?;
            Ok(Value::Null)
        }
        _ => bail!("unknown request"),
    }
}

fn time(run: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Returns the version of a package that this program was built with, from its lock file.
fn version(package: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"");
    let mut lines = include_str!("../Cargo.lock").lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}
