//! The numeric example: three channels of 3×3 pixels that move in three directions.

use std::fmt::Write;

use anyhow::{Context, Result};
use deform::layers::HostTensor;
use deform::ops::deform_conv2d::reference::Reference;
use deform::{DeformConv2d, Gpu};
use deform_case::{CaseFile, Comparison, DEFORM_CONV2D, ErrorBounds};

use crate::case::Case;
use crate::numbers::coordinate;

const CASE: &[u8] = include_bytes!("../../assets/article_shift.safetensors");

/// Computes the example on the device, checks it against torchvision's output and explains it in grids of numbers.
pub(crate) fn explain(gpu: &Gpu, op: &DeformConv2d) -> Result<String> {
    let file = CaseFile::parse(&DEFORM_CONV2D, "article_shift", CASE.to_vec())?;
    let case = Case::new(&file.name, file.operands()?, file.options()?);
    let inputs = deform_case::upload(gpu, &case.operands)?;
    let output = op.forward(&inputs.as_ref(), case.options)?;
    let output = HostTensor { shape: output.shape().to_vec(), values: output.download()? };
    let answer = file.answer("output")?.context("the example has an answer")?;
    let geometry = case.geometry()?;
    let bounds = ErrorBounds::new(Reference::new(&geometry, case.values())?.with_exact_positions());
    Comparison::of(&output.values, &answer.values, bounds.output()).check("torchvision's output")?;

    let HostTensor { shape, values: weight } = &case.operands.weight;
    let in_channels = shape[1];
    let mut text = String::new();
    text += "The input has 3 channels of 3 by 3 pixels:\n\n";
    text += &grids(&case.operands.input, |channel| format!("input {channel}"), number);
    text += "\nFor each output pixel, an ordinary 1x1 convolution reads the input pixel at the same position.\n\
             A deformable convolution first adds an offset to the position. Here the offset is one whole pixel,\n\
             in another direction for each channel. The arrows show where each output pixel reads from:\n\n";
    text += &arrows(&case.operands.offset);
    text += "\nInput 0 is read one pixel to the left, which moves it to the right; pixels outside the image are 0.\n\
             The weights then add up channels as in any convolution:\n\n";
    text += &grids(&output, |channel| sum(&weight[channel * in_channels..][..in_channels]), number);
    text += "\nIf an offset is a fraction, the four pixels around the position are interpolated. A network learns\n\
             its offsets, and with them which positions to read.\n";
    Ok(text)
}

/// Prints all channels of one image side by side, each under its title.
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

/// Prints the offsets of a 1×1 kernel as arrows. Each offset group has one channel for y and one for x.
fn arrows(offset: &HostTensor) -> String {
    let [_, channels, height, width] = offset.shape[..] else { return String::new() };
    let (pixels, groups) = (height * width, channels / 2);
    // Each direction gets one number, because `grids` prints one channel per grid and a group has two.
    let directions = (0..groups * pixels).map(|index| {
        let (group, pixel) = (index / pixels, index % pixels);
        let [y, x] = [0, 1].map(|axis| offset.values[(2 * group + axis) * pixels + pixel]);
        3.0 * y + x
    });
    let directions = HostTensor { shape: vec![1, groups, height, width], values: directions.collect() };
    let arrow = |direction: f32| match coordinate(direction) {
        -1 => "  ←".to_owned(),
        1 => "  →".to_owned(),
        -3 => "  ↑".to_owned(),
        3 => "  ↓".to_owned(),
        _ => "  ·".to_owned(),
    };
    grids(&directions, |group| format!("offset {group}"), arrow)
}

/// Prints a row of weights of 0 or 1 as a sum: "in 0 + in 2".
fn sum(weights: &[f32]) -> String {
    let used = weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
    used.map(|(channel, _)| format!("in {channel}")).collect::<Vec<_>>().join(" + ")
}
