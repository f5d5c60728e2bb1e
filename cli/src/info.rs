//! `deform info`: lists the adapters with their limits and features, and the algorithms for known layers on the adapter
//! in use.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use comfy_table::{ContentArrangement, Table, presets};
use deform::Gpu;
use deform::ops::deform_conv2d::{choice, estimate};
use deform::plan::{DeviceKind, DeviceLimits, GpuClass};
use deform::wgpu::{Adapter, AdapterInfo, Features, Limits};

use crate::bench::layers::LAYERS;

/// The columns of a terminal that every table fits.
const WIDTH: u16 = 100;
/// The number of adapters side by side. The next ones are in a table below.
const ADAPTERS_SIDE_BY_SIDE: usize = 3;

/// List the adapters, their limits and features, and the one that is used
#[derive(clap::Args)]
pub(crate) struct Info {
    /// Print only the algorithms that deform tries on a GPU of this class, which need not be there
    #[arg(long, value_name = "CLASS", value_parser = classes())]
    device: Option<GpuClass>,
}

fn classes() -> impl TypedValueParser<Value = GpuClass> {
    PossibleValuesParser::new(GpuClass::ALL.map(GpuClass::name)).try_map(|name| name.parse::<GpuClass>())
}

impl Info {
    pub(crate) fn run(&self) -> Result<()> {
        let Some(class) = self.device else { return adapters() };
        let limits = DeviceLimits { kind: class.kind(), class, ..DeviceLimits::default() };
        println!(
            "algorithms that deform tries on {class}, in order, for the layers of `deform bench`, and the time that"
        );
        println!("its model expects of the first (no such GPU has confirmed it yet):");
        println!("{}", algorithms(&limits)?);
        Ok(())
    }
}

/// Prints the adapters with their limits and features, the adapter that the library picks, and the algorithms that it
/// tries there.
fn adapters() -> Result<()> {
    let adapters = Gpu::adapters();
    // An error is returned after the tables are printed. It also explains an empty list.
    let gpu = Gpu::new();
    let used = |adapter: &AdapterInfo| gpu.as_ref().is_ok_and(|gpu| same(gpu.info(), adapter));
    let adapters: Vec<_> = adapters.iter().map(|adapter| properties(adapter, used(&adapter.get_info()))).collect();
    for table in adapter_tables(&adapters) {
        println!("{table}");
    }
    let gpu = gpu?;
    println!("deform uses {} ({:?})", gpu.info().name, gpu.info().backend);
    println!("\nalgorithms that deform tries there, in order, for the layers of `deform bench`:");
    println!("{}", algorithms(gpu.limits())?);
    Ok(())
}

/// Makes a table of the algorithms that a device's `Auto` tries for the layers of the benchmark, and of the expected
/// times of the first on a GPU.
fn algorithms(limits: &DeviceLimits) -> Result<Table> {
    let mut table = table();
    let on_gpu = limits.kind != DeviceKind::Cpu;
    let expected = on_gpu.then_some("expected");
    table.set_header(["layer", "input", "weight", "algorithms"].into_iter().chain(expected));
    for layer in LAYERS {
        let (shapes, geometry) = (layer.shapes(), layer.geometry()?);
        let algorithms = choice(&geometry, limits);
        let names: Vec<_> = algorithms.iter().map(ToString::to_string).collect();
        let time = algorithms.first().and_then(|&first| estimate(&geometry, limits.class, first));
        let time = time.map_or(String::new(), |time| format!("{} µs", time.as_micros()));
        let cells = [layer.name.to_owned(), sizes(&shapes.input), sizes(&shapes.weight), names.join(", ")];
        table.add_row(cells.into_iter().chain(on_gpu.then_some(time)));
    }
    Ok(table)
}

/// A property's title and its value for one adapter.
type Property = (&'static str, String);

fn properties(adapter: &Adapter, used: bool) -> Vec<Property> {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let mut properties = vec![
        ("adapter", info.name.clone()),
        ("used by deform", String::from(if used { "yes" } else { "" })),
        ("backend", format!("{:?}", info.backend)),
        ("type", format!("{:?}", info.device_type)),
        ("driver", driver(&info)),
    ];
    properties.extend(LIMITS.iter().map(|(title, value)| (*title, value(&limits))));
    let has = |feature| String::from(if features.contains(feature) { "yes" } else { "no" });
    properties.extend(FEATURES.iter().map(|(title, feature)| (*title, has(*feature))));
    properties
}

/// Puts a few adapters side by side, and the others below them. Every adapter has the same properties.
fn adapter_tables(adapters: &[Vec<Property>]) -> Vec<Table> {
    let table = |adapters: &[Vec<Property>]| {
        let row = |index: usize| {
            let title = adapters[0][index].0.to_owned();
            std::iter::once(title).chain(adapters.iter().map(move |adapter| adapter[index].1.clone()))
        };
        let mut table = table();
        table.set_header(row(0));
        table.add_rows((1..adapters[0].len()).map(row));
        table
    };
    adapters.chunks(ADAPTERS_SIDE_BY_SIDE).map(table).collect()
}

/// Makes an empty table that wraps the text of cells rather than exceed the width.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table
}

/// Formats a shape as "1x64x56x56".
fn sizes(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// The title of a row, and the text of the limit.
type Limit = (&'static str, fn(&Limits) -> String);

/// The limits that determine how a call is split into passes and which tiles fit.
const LIMITS: &[Limit] = &[
    ("largest storage binding", |limits| mebibytes(limits.max_storage_buffer_binding_size)),
    ("largest buffer", |limits| mebibytes(limits.max_buffer_size)),
    ("workgroup memory", |limits| format!("{} KiB", limits.max_compute_workgroup_storage_size / 1024)),
    ("invocations per workgroup", |limits| limits.max_compute_invocations_per_workgroup.to_string()),
    ("workgroups per axis", |limits| limits.max_compute_workgroups_per_dimension.to_string()),
    ("storage buffers per stage", |limits| limits.max_storage_buffers_per_shader_stage.to_string()),
];

const FEATURES: &[(&str, Features)] = &[
    ("f16 in shaders", Features::SHADER_F16),
    ("subgroups", Features::SUBGROUP),
    ("timestamp queries", Features::TIMESTAMP_QUERY),
];

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// Returns the driver's name and version.
pub(crate) fn driver(info: &AdapterInfo) -> String {
    format!("{} {}", info.driver, info.driver_info).trim().to_owned()
}

/// Describes an adapter in one line, to be printed above measured numbers.
pub(crate) fn describe(info: &AdapterInfo) -> String {
    format!("{} ({:?}, {:?}, driver {})", info.name, info.backend, info.device_type, driver(info))
}

/// Reports whether two entries are the same adapter. One card can appear once per backend, so the name is not enough.
fn same(a: &AdapterInfo, b: &AdapterInfo) -> bool {
    (&a.name, a.backend, a.vendor, a.device, &a.device_pci_bus_id)
        == (&b.name, b.backend, b.vendor, b.device, &b.device_pci_bus_id)
}

#[cfg(test)]
mod tests {
    use super::{Property, WIDTH, adapter_tables};

    #[test]
    fn adapters_with_long_names_fit_the_width() {
        let adapter = |number: usize| -> Vec<Property> {
            let name =
                format!("Adapter {number} of a Maker with a Long Name (Driver 15.0.6, 256 bits, second revision)");
            vec![("adapter", name), ("invocations per workgroup", "1024".to_owned())]
        };
        for count in 0..=7 {
            let adapters: Vec<_> = (1..=count).map(adapter).collect();
            let text: String = adapter_tables(&adapters).iter().map(|table| format!("{table}\n")).collect();
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(WIDTH), "{line}");
            }
            for number in 1..=count {
                assert!(text.contains(&format!("Adapter {number}")), "adapter {number} is missing:\n{text}");
            }
            assert_eq!(text.matches("1024").count(), count);
        }
    }
}
