//! `deform show`: what one output pixel of a `deform_conv2d` case reads.

mod figure;
mod taps;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table};
use deform::ops::deform_conv2d::reference::Reference;

use self::taps::{Pixel, Statistics, Tap};
use crate::case::Case;
use crate::out::Out;
use crate::positions::Positions;
use crate::rows::significant;
use crate::{info, numbers};

/// The meaning of the table in `--help`.
const TABLE: &str = "\
Each tap has two lines, one for y and one for x. Its position is the regular position, at which an ordinary \
convolution reads, plus the offset. The sample is the sum of the four corners, the input pixels around the position, \
each times its bilinear weight; the two above the position are in the first line. A corner outside the image is shown \
as - and counts as 0. The output is the bias plus the sum of weight * mask * sample over the taps and the input \
channels of a weight group; the table has the weight of the group's first output channel.

Positions are rounded to f32, as on the device. Everything else is computed in f64, on the CPU: this command needs no \
adapter.";

/// Show what one output pixel of a deform_conv2d case reads: the positions, samples and weights of its taps.
///
/// `deform run --help` describes the file.
#[derive(Args)]
#[command(after_help = TABLE)]
pub(crate) struct Show {
    /// The safetensors file with the operands
    case: PathBuf,
    /// The output pixel [default: the middle of the output]
    #[arg(long, value_name = "Y,X", value_parser = place)]
    at: Option<[usize; 2]>,
    /// The image of the batch
    #[arg(long, value_name = "N", default_value = "0", value_parser = numbers::whole_number::<usize>, allow_negative_numbers = true)]
    batch: usize,
    /// The input channel whose samples are shown [default: the first channel of every offset group]
    #[arg(long, value_name = "C", value_parser = numbers::whole_number::<usize>, allow_negative_numbers = true)]
    channel: Option<usize>,
    /// Draw the taps of the channel, or of the first offset group, on the input, and write the picture to this PNG file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The largest number of output channels whose values are printed.
const OUTPUTS: usize = 5;

impl Show {
    pub(crate) fn run(&self) -> Result<()> {
        let case = Case::read(&self.case)?;
        let out = match self.out.as_deref() {
            Some(path) => Some((Out::new(path, &[&self.case])?, Out::picture_format(path)?)),
            None => None,
        };
        let geometry = case.geometry()?;
        let g = &geometry;
        let [y, x] = self.at.unwrap_or([g.out_height / 2, g.out_width / 2]);
        for (option, got, limit, because) in [
            ("--at y", y, g.out_height, "the output's height"),
            ("--at x", x, g.out_width, "the output's width"),
            ("--batch", self.batch, g.batch, "the number of images"),
            ("--channel", self.channel.unwrap_or(0), g.in_channels, "the number of input channels"),
        ] {
            ensure!(got < limit, "{option}: got {got}, expected less than {limit}, {because}");
        }
        let values = case.values();
        let positions = Positions::new(geometry, values.offset);
        let pixel = Pixel { positions: &positions, values, batch: self.batch, index: y * g.out_width + x };

        let count = |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
        let pair = |[y, x]: [usize; 2]| format!("{y},{x}");
        println!("{}", case.name);
        println!(
            "input    {}, {}, {} x {} pixels",
            count(g.batch, "image"),
            count(g.in_channels, "channel"),
            g.in_height,
            g.in_width
        );
        println!(
            "kernel   {} x {}, stride {}, padding {}, dilation {}; {}, {}",
            g.kernel_height,
            g.kernel_width,
            pair(g.stride),
            pair(g.padding),
            pair(g.dilation),
            count(g.groups, "weight group"),
            count(g.offset_groups, "offset group")
        );
        println!("output   {}, {} x {} pixels", count(g.out_channels, "channel"), g.out_height, g.out_width);
        println!("offsets  {}", Statistics::new(&positions));

        let channels = match self.channel {
            Some(channel) => vec![channel],
            None => (0..g.offset_groups).map(|group| group * g.channels_per_offset_group()).collect(),
        };
        for &channel in &channels {
            let (image, group, output) = (self.batch, pixel.offset_group(channel), pixel.first_output(channel));
            println!(
                "\npixel {y},{x} of image {image}, offset group {group}, input channel {channel}, \
                 weight of output channel {output}:"
            );
            println!("{}", table(&pixel.taps(channel)));
        }

        let channel = channels[0];
        let rows = g.out_channels_per_group();
        let shown = rows.min(OUTPUTS);
        println!("\noutput of the pixel, {shown} of {} of the weight group:", count(rows, "channel"));
        let reference = Reference::new(g, values)?;
        for output in (pixel.first_output(channel)..).take(shown) {
            let value = reference.output_at([self.batch, output, y, x]);
            println!("channel {output}: {}", significant(value, 6));
        }

        if let Some((out, format)) = out {
            out.write_picture(&figure::draw(&pixel, channel), format)?;
            println!("\n{}\n{}", out.path().display(), figure::LEGEND);
        }
        Ok(())
    }
}

/// Parses "y,x".
fn place(text: &str) -> Result<[usize; 2], String> {
    let pair = text.split_once(',').and_then(|(y, x)| Some([y.trim().parse().ok()?, x.trim().parse().ok()?]));
    pair.ok_or_else(|| "expected the two whole numbers y,x".to_owned())
}

fn table(taps: &[Tap]) -> Table {
    let mut table = info::table();
    table.set_header(["tap", "regular", "offset", "position", "mask", "bilinear", "corners", "sample", "weight"]);
    let number = |value: f64| significant(value, 4);
    for tap in taps {
        let corners = tap.corners.map(|corners| {
            let [weights, values] = [
                corners.map(|(weight, _)| format!("{weight:.3}")),
                corners.map(|(_, value)| value.map_or("-".to_owned(), |value| number(value.into()))),
            ];
            let width = values.iter().map(String::len).max().unwrap_or(0);
            let values = values.map(|value| format!("{value:>width$}"));
            [weights, values].map(|[above_left, above_right, below_left, below_right]| {
                format!("{above_left} {above_right}\n{below_left} {below_right}")
            })
        });
        let [weights, values] = corners.unwrap_or_else(|| ["outside".to_owned(), String::new()]);
        table.add_row([
            format!("{},{} y\nx", tap.kernel[0], tap.kernel[1]),
            format!("{}\n{}", tap.regular[0], tap.regular[1]),
            tap.offset.map(fraction).join("\n"),
            tap.position.map(fraction).join("\n"),
            number(tap.mask.into()),
            weights,
            values,
            number(tap.sample),
            number(tap.weight.into()),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((0, 1));
    }
    table
}

/// Formats a position with the same number of digits as others, unless it is far away.
fn fraction(place: f32) -> String {
    if place.abs() < 1e5 { format!("{place:.3}") } else { format!("{place:.2e}") }
}
