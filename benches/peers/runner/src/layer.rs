//! A layer and its operands, with a 3×3 kernel, padding 1, mask and bias.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// The kernel's height and width.
pub(crate) const KERNEL: usize = 3;
/// The padding on all sides, "same" for a 3×3 kernel.
pub(crate) const PADDING: usize = 1;

/// The shape and values of one operand.
pub(crate) struct Operand<const RANK: usize> {
    pub(crate) shape: [usize; RANK],
    pub(crate) values: Vec<f32>,
}

pub(crate) struct Layer {
    pub(crate) groups: usize,
    pub(crate) offset_groups: usize,
    pub(crate) input: Operand<4>,
    pub(crate) offset: Operand<4>,
    pub(crate) weight: Operand<4>,
    pub(crate) mask: Operand<4>,
    pub(crate) bias: Operand<1>,
    pub(crate) grad_output: Operand<4>,
}

impl Layer {
    /// Reads a layer from `IN_CHANNELS OUT_CHANNELS HEIGHT WIDTH OFFSET_GROUPS BATCH GROUPS FOLDER`.
    pub(crate) fn read(arguments: &str) -> Result<Self> {
        let fields: Vec<&str> = arguments.splitn(8, ' ').collect();
        let [in_channels, out_channels, height, width, offset_groups, batch, groups, folder] = fields[..] else {
            bail!("expected eight arguments");
        };
        let [in_channels, out_channels]: [usize; 2] = [in_channels.parse()?, out_channels.parse()?];
        let [batch, groups]: [usize; 2] = [batch.parse()?, groups.parse()?];
        let [height, width, offset_groups]: [usize; 3] = [height.parse()?, width.parse()?, offset_groups.parse()?];
        let folder = Path::new(folder);
        let taps = KERNEL * KERNEL;
        Ok(Self {
            groups,
            offset_groups,
            input: read(folder, "input", [batch, in_channels, height, width])?,
            offset: read(folder, "offset", [batch, 2 * offset_groups * taps, height, width])?,
            weight: read(folder, "weight", [out_channels, in_channels / groups, KERNEL, KERNEL])?,
            mask: read(folder, "mask", [batch, offset_groups * taps, height, width])?,
            bias: read(folder, "bias", [out_channels])?,
            grad_output: read(folder, "grad_output", [batch, out_channels, height, width])?,
        })
    }
}

/// Reads FOLDER/NAME.f32, which holds the elements without a header in this machine's byte order.
fn read<const RANK: usize>(folder: &Path, name: &str, shape: [usize; RANK]) -> Result<Operand<RANK>> {
    let path = folder.join(name).with_extension("f32");
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let expected = size_of::<f32>() * shape.iter().product::<usize>();
    ensure!(bytes.len() == expected, "{} has {} bytes, not {expected}", path.display(), bytes.len());
    Ok(Operand { shape, values: bytemuck::pod_collect_to_vec(&bytes) })
}
