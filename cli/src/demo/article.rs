//! The smallest example that says it all: three channels of 3×3 that move in three directions.

use std::fmt::Write;

use anyhow::{Context, Result};
use deform::layers::HostTensor;
use deform::{DeformConv2d, Gpu};

use crate::accuracy::Bounds;
use deform_case::CaseFile;

use crate::case::{self, Case};

const CASE: &[u8] = include_bytes!("../../assets/article_shift.safetensors");

/// Computes the example on the device and tells it in grids of numbers.
pub(crate) fn tell(gpu: &Gpu, op: &DeformConv2d) -> Result<String> {
    let case = Case::from_file(&CaseFile::parse("article_shift", CASE.to_vec())?)?;
    let inputs = case::upload(gpu, &case.operands)?;
    let output = op.forward(&inputs.map(|tensor| tensor), case.options)?;
    let output = HostTensor { shape: output.shape().to_vec(), values: output.download()? };
    let answer = case.answer.as_ref().context("the example has an answer")?;
    Bounds::new(&case)?.compare(&output.values, &answer.values).check("torchvision's")?;

    let HostTensor { shape, values: weight } = &case.operands.weight;
    let in_channels = shape[1];
    let mut text = String::new();
    text += "The input has 3 channels of 3 by 3 pixels:\n\n";
    text += &grids(&case.operands.input, |channel| format!("input {channel}"), number);
    text += "\nAn ordinary 1x1 convolution reads, for each output pixel, the input pixel in the same place.\n\
             A deformable one adds an offset first, here a whole pixel, and another one for each channel.\n\
             The arrows say where each output pixel reads from:\n\n";
    text += &arrows(&case.operands.offset);
    text += "\nSo input 0 is read one pixel to the left, which moves it to the right; what lies outside is 0.\n\
             The weights then add up channels as in any convolution:\n\n";
    text += &grids(&output, |channel| sum(&weight[channel * in_channels..][..in_channels]), number);
    text += "\nOffsets may be fractions too: then the four pixels around the place are blended. A network learns\n\
             its offsets, so it learns where to look.\n";
    Ok(text)
}

/// All channels of one image beside each other, each under its title.
fn grids(operand: &HostTensor, title: impl Fn(usize) -> String, cell: impl Fn(f32) -> String) -> String {
    let [_, channels, height, width] = operand.shape[..] else { return String::new() };
    let mut text = String::from(" ");
    for channel in 0..channels {
        let _ = write!(text, " {:^column$}  ", title(channel), column = 3 * width + 3);
    }
    for y in 0..height {
        text.truncate(text.trim_end().len());
        text.push_str("\n ");
        for channel in 0..channels {
            let row = &operand.values[(channel * height + y) * width..][..width];
            let row: String = row.iter().map(|&value| cell(value)).collect();
            let _ = write!(text, " [{row} ]  ");
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn number(value: f32) -> String {
    format!("{value:3}")
}

/// The offsets of a 1×1 kernel as arrows; each offset group has a channel for y and one for x.
fn arrows(offset: &HostTensor) -> String {
    let [_, channels, height, width] = offset.shape[..] else { return String::new() };
    let (pixels, groups) = (height * width, channels / 2);
    // One code for each direction, so that the two channels of a group print as one grid.
    let directions = (0..groups * pixels).map(|index| {
        let (group, pixel) = (index / pixels, index % pixels);
        let [y, x] = [0, 1].map(|axis| offset.values[(2 * group + axis) * pixels + pixel]);
        3.0 * y + x
    });
    let directions = HostTensor { shape: vec![1, groups, height, width], values: directions.collect() };
    let arrow = |direction: f32| match direction as i32 {
        -1 => "  ←".to_owned(),
        1 => "  →".to_owned(),
        -3 => "  ↑".to_owned(),
        3 => "  ↓".to_owned(),
        _ => "  ·".to_owned(),
    };
    grids(&directions, |group| format!("offset {group}"), arrow)
}

/// A row of weights as a sum: "in 0 + in 2".
fn sum(weights: &[f32]) -> String {
    let used = weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
    used.map(|(channel, _)| format!("in {channel}")).collect::<Vec<_>>().join(" + ")
}
