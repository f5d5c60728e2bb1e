//! The rows of the table of `deform bench`, in text and in JSON.

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};
use deform::ops::roofline::Roofline;
use serde_json::{Value, json};

use super::layers::Layer;
use super::{Measured, Pass};

/// One pass of one layer.
pub(super) struct Row<'a> {
    pub(super) layer: &'a Layer,
    pub(super) pass: Pass,
    pub(super) result: Result<Measured>,
}

impl Row<'_> {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.layer.title(), self.pass.name())
    }
}

pub(super) fn table(rows: &[Row<'_>], roofline: &Roofline) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "layer",
        "pass",
        "algorithm",
        "median ms (min–max)",
        "GFLOP/s",
        "of FLOP",
        "of copy",
        "max error",
        "of bound",
    ]);
    for row in rows {
        match &row.result {
            Ok(measured) => table.add_row([
                row.layer.name.to_owned(),
                row.pass.name().to_owned(),
                measured.algorithm.clone(),
                format!("{:.2} ({:.2}–{:.2})", measured.timing.median(), measured.timing.min(), measured.timing.max()),
                format!("{:.1}", measured.flops_per_second / 1e9),
                percent(measured.flops_per_second / roofline.multiply_add_flops),
                percent(measured.bytes_per_second / roofline.copy_bytes_per_second),
                format!("{:.1e}", measured.comparison.max_abs_error),
                match measured.comparison.worst_ratio {
                    ratio if ratio <= 1.0 => format!("{ratio:.3}"),
                    ratio => format!("{ratio:.1e} WRONG"),
                },
            ]),
            Err(_) => table.add_row([row.layer.name, row.pass.name(), "failed"]),
        };
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

pub(super) fn json_row(row: &Row<'_>) -> Value {
    let layer = row.layer;
    let (shapes, options) = (layer.shapes(), layer.options());
    match &row.result {
        Ok(measured) => json!({
            "layer": layer.title(),
            "pass": row.pass.name(),
            "algorithm": measured.algorithm,
            "shapes": {
                "input": shapes.input,
                "offset": shapes.offset,
                "weight": shapes.weight,
                "mask": shapes.mask,
                "bias": shapes.bias,
            },
            "stride": options.stride,
            "padding": options.padding,
            "dilation": options.dilation,
            "median_ms": measured.timing.median(),
            "min_ms": measured.timing.min(),
            "max_ms": measured.timing.max(),
            "runs": measured.timing.runs(),
            "flops_per_second": measured.flops_per_second,
            "bytes_per_second": measured.bytes_per_second,
            "max_abs_error": measured.comparison.max_abs_error,
            "error_of_bound": measured.comparison.worst_ratio,
        }),
        Err(error) => json!({ "layer": layer.title(), "pass": row.pass.name(), "error": format!("{error:#}") }),
    }
}
