//! `deform info`: lists the adapters with their limits and features, and the algorithms for known layers on the adapter
//! in use.

use anyhow::Result;
use comfy_table::{Table, presets};
use deform::Gpu;
use deform::ops::deform_conv2d::{Geometry, choice};
use deform::wgpu::{Adapter, AdapterInfo, Features, Limits};

use crate::bench::layers::LAYERS;

/// Prints the adapters with their limits and features, the adapter that the library picks, and the algorithms that it
/// tries there.
pub(crate) fn info() -> Result<()> {
    let adapters = Gpu::adapters();
    // An error is returned after the table is printed. It also explains an empty list.
    let gpu = Gpu::new();
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    let column = |title: &str, value: &dyn Fn(&Adapter) -> String| {
        std::iter::once(title.to_owned()).chain(adapters.iter().map(value)).collect::<Vec<_>>()
    };
    table.set_header(column("adapter", &|adapter| adapter.get_info().name));
    table.add_row(column("used by deform", &|adapter| {
        let used = gpu.as_ref().is_ok_and(|gpu| same(gpu.info(), &adapter.get_info()));
        String::from(if used { "yes" } else { "" })
    }));
    table.add_row(column("backend", &|adapter| format!("{:?}", adapter.get_info().backend)));
    table.add_row(column("type", &|adapter| format!("{:?}", adapter.get_info().device_type)));
    table.add_row(column("driver", &|adapter| driver(&adapter.get_info())));
    for (title, value) in LIMITS {
        table.add_row(column(title, &|adapter| value(&adapter.limits())));
    }
    for (title, feature) in FEATURES {
        table.add_row(column(title, &|adapter| {
            String::from(if adapter.features().contains(*feature) { "yes" } else { "no" })
        }));
    }
    if !adapters.is_empty() {
        println!("{table}");
    }
    let gpu = gpu?;
    println!("deform uses {}", describe(gpu.info()));
    println!("\nalgorithms that deform tries there, in order, for the layers of `deform bench`:");
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    for layer in LAYERS {
        let geometry = Geometry::new(layer.shapes().map(Vec::as_slice), &layer.options())?;
        let names: Vec<_> = choice(&geometry, gpu.limits()).iter().map(ToString::to_string).collect();
        table.add_row([layer.name.to_owned(), geometry.to_string(), names.join(", ")]);
    }
    println!("{table}");
    Ok(())
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
