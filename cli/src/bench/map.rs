//! `deform bench --map`: layers from one pixel to 4K, each timed as a multiple of a line that grows with its work. A
//! multiple far above the others is a cliff: a size at which the cost jumps.

use comfy_table::{CellAlignment, Table, presets};
use deform::ops::deform_conv2d::Geometry;

use super::layers::{Layer, square};
use super::rows::Row;

/// The layers of the map. The multiple 1 is that of the first.
pub(super) const LAYERS: &[Layer] = &[
    // Channels.
    square("", 64, [64, 64]),
    square("", 1, [256, 256]),
    square("", 2, [256, 256]),
    square("", 3, [256, 256]),
    square("", 4, [256, 256]),
    square("", 8, [256, 256]),
    square("", 16, [128, 128]),
    square("", 32, [128, 128]),
    square("", 128, [64, 64]),
    square("", 256, [32, 32]),
    square("", 512, [16, 16]),
    square("", 1024, [16, 16]),
    Layer { kernel: 1, ..square("", 2048, [16, 16]) },
    Layer { out_channels: 64, ..square("", 3, [128, 128]) },
    Layer { out_channels: 3, ..square("", 64, [128, 128]) },
    Layer { out_channels: 256, ..square("", 64, [64, 64]) },
    Layer { out_channels: 64, ..square("", 256, [64, 64]) },
    // Weight groups.
    Layer { groups: 2, ..square("", 64, [64, 64]) },
    Layer { groups: 4, ..square("", 64, [64, 64]) },
    Layer { groups: 8, ..square("", 64, [64, 64]) },
    Layer { groups: 16, ..square("", 64, [64, 64]) },
    Layer { groups: 32, ..square("", 64, [64, 64]) },
    Layer { groups: 64, ..square("", 64, [64, 64]) },
    Layer { groups: 64, out_channels: 128, ..square("", 64, [64, 64]) },
    Layer { groups: 32, out_channels: 128, ..square("", 64, [64, 64]) },
    Layer { groups: 32, out_channels: 32, ..square("", 64, [64, 64]) },
    Layer { groups: 21, ..square("", 63, [64, 64]) },
    Layer { groups: 32, ..square("", 1024, [16, 16]) },
    // Offset groups.
    Layer { offset_groups: 2, ..square("", 64, [64, 64]) },
    Layer { offset_groups: 8, ..square("", 64, [64, 64]) },
    Layer { offset_groups: 16, ..square("", 64, [64, 64]) },
    Layer { offset_groups: 32, ..square("", 64, [64, 64]) },
    Layer { offset_groups: 64, ..square("", 64, [64, 64]) },
    Layer { offset_groups: 64, kernel: 1, ..square("", 64, [56, 56]) },
    Layer { offset_groups: 64, groups: 64, ..square("", 64, [64, 64]) },
    Layer { offset_groups: 4, groups: 8, ..square("", 64, [64, 64]) },
    // Kernels, strides and dilations.
    Layer { kernel: 1, ..square("", 64, [64, 64]) },
    Layer { kernel: 2, ..square("", 64, [64, 64]) },
    Layer { kernel: 5, ..square("", 32, [64, 64]) },
    Layer { kernel: 7, ..square("", 32, [64, 64]) },
    Layer { kernel: 11, ..square("", 16, [64, 64]) },
    Layer { stride: 2, ..square("", 64, [128, 128]) },
    Layer { stride: 4, ..square("", 64, [256, 256]) },
    Layer { dilation: 2, ..square("", 64, [64, 64]) },
    Layer { dilation: 16, ..square("", 64, [64, 64]) },
    Layer { mask: false, bias: false, ..square("", 64, [64, 64]) },
    // Images.
    square("", 64, [1, 1]),
    square("", 64, [7, 7]),
    square("", 64, [14, 14]),
    square("", 64, [32, 32]),
    square("", 64, [1, 4096]),
    square("", 64, [4096, 1]),
    square("", 32, [256, 256]),
    square("", 32, [512, 512]),
    square("", 32, [1024, 1024]),
    square("", 8, [1024, 1024]),
    square("", 3, [720, 1280]),
    square("", 3, [1080, 1920]),
    Layer { kernel: 1, ..square("", 3, [2160, 3840]) },
    Layer { kernel: 1, out_channels: 256, ..square("", 64, [512, 512]) },
    // Batches.
    Layer { batch: 64, ..square("", 64, [7, 7]) },
    Layer { batch: 256, ..square("", 8, [14, 14]) },
    Layer { batch: 1024, ..square("", 16, [7, 7]) },
    Layer { batch: 4096, kernel: 1, ..square("", 4, [1, 1]) },
];

/// The time of a layer that costs no more than its work: a call, its multiply-adds, and its samples, of one channel at
/// one tap of one output pixel each. The numbers are those of two cores of a CPU with lavapipe; only their ratios
/// matter.
struct Line {
    call_ms: f64,
    product_ns: f64,
    sample_ns: f64,
}

const FORWARD: Line = Line { call_ms: 2.0, product_ns: 0.045, sample_ns: 2.6 };
const WITH_GRADIENTS: Line = Line { call_ms: 5.0, product_ns: 0.18, sample_ns: 12.0 };

impl Line {
    fn milliseconds(&self, g: &Geometry) -> f64 {
        let samples: f64 = [g.batch, g.out_pixels(), g.in_channels, g.taps()].iter().map(|&size| size as f64).product();
        self.call_ms + 1e-6 * (self.product_ns * g.flops() / 2.0 + self.sample_ns * samples)
    }
}

/// Returns the layers in the order of their measurement: the first one again before each, because the speed of a machine
/// may change within minutes.
pub(super) fn in_turns() -> Vec<&'static Layer> {
    LAYERS.iter().flat_map(|layer| [&LAYERS[0], layer]).collect()
}

/// The explanation under the table.
pub(super) const LEGEND: &str = "\
\"of line\" is the time as a multiple of 2 ms + .045 ns per multiply-add + 2.6 ns per sample, with gradients of 5 ms + \
.18 ns + 12 ns, scaled so that the first layer has 1 when it is timed just before. The times are the shortest; with \
gradients means the forward pass and all gradients.";

/// Returns the times of the forward pass and of all gradients with it, in milliseconds and as multiples of their lines.
fn times(passes: &[Row<'_>]) -> [Option<[f64; 2]>; 2] {
    let geometry = passes[0].layer.geometry().ok();
    let mut total = Some(0.0);
    [0, 1].map(|pass| {
        let measured = passes[pass].result.as_ref().ok();
        total = total.zip(measured).map(|(total, measured)| total + measured.timing.min());
        let line = [FORWARD, WITH_GRADIENTS][pass].milliseconds(geometry.as_ref()?);
        total.map(|total| [total, total / line])
    })
}

/// Makes the table from the rows of both passes of the layers [`in_turns`].
pub(super) fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["layer", "forward by", "ms", "of line", "with gradients by", "ms", "of line"]);
    for turn in rows.chunks(4) {
        let [first, passes] = [&turn[..2], &turn[2..]];
        let mut cells = vec![passes[0].layer.title()];
        for ((row, first), times) in passes.iter().zip(times(first)).zip(times(passes)) {
            cells.push(row.result.as_ref().map_or("failed".to_owned(), |measured| measured.algorithm.clone()));
            cells.extend(first.zip(times).map_or([const { String::new() }; 2], |([_, scale], [ms, multiple])| {
                [format!("{ms:.1}"), format!("{:.1}", multiple / scale)]
            }));
        }
        table.add_row(cells);
    }
    for column in [2, 3, 5, 6] {
        table.column_mut(column).into_iter().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Pass;
    use super::super::tests::measured_in;
    use super::{FORWARD, LAYERS, Row, WITH_GRADIENTS, table};

    #[test]
    fn every_layer_is_possible_and_listed_once() {
        assert!(LAYERS.iter().all(|layer| layer.geometry().is_ok()));
        assert_eq!(LAYERS.iter().map(|layer| layer.title()).collect::<BTreeSet<_>>().len(), LAYERS.len());
    }

    #[test]
    fn multiples_are_those_of_the_first_layer() {
        let [first, second] = [&LAYERS[0], &LAYERS[1]];
        let [one, other] =
            [first, second].map(|layer| FORWARD.milliseconds(&layer.geometry().expect("it is possible")));
        let all = WITH_GRADIENTS.milliseconds(&first.geometry().expect("it is possible"));
        let row = |layer, pass, ms| Row { layer, pass, result: Ok(measured_in(ms)) };
        let before = || [row(first, Pass::Forward, 2.0 * one), row(first, Pass::Backward, 3.0 * all - 2.0 * one)];
        let rows = before().into_iter().chain(before()).chain(before()).chain([
            row(second, Pass::Forward, 10.0 * other),
            Row { layer: second, pass: Pass::Backward, result: Err(anyhow::anyhow!("no memory")) },
        ]);
        let table = table(&rows.collect::<Vec<_>>()).to_string();
        let cells =
            |line: usize| -> Vec<_> { table.lines().nth(line).expect("a row").split('|').map(str::trim).collect() };
        assert_eq!([3, 4, 7].map(|at| cells(2)[at]), [&*format!("{:.1}", 2.0 * one), "1.0", "1.0"]);
        assert_eq!([4, 5, 6, 7].map(|at| cells(3)[at]), ["5.0", "failed", "", ""]);
    }
}
