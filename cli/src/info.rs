//! `deform info`: which adapters are here, what they can do, and which algorithms they get.

use anyhow::Result;
use comfy_table::{Table, presets};
use deform::Gpu;
use deform::ops::deform_conv2d::{Geometry, choice};
use deform::wgpu::{Adapter, AdapterInfo, Features, Limits};

use crate::bench::layers::LAYERS;

/// Prints every adapter, its limits and features, and the one that the library picks.
pub(crate) fn info() -> Result<()> {
    let adapters = Gpu::adapters();
    // Gpu::new also says why there is none, so its error is the one to show when nothing is listed.
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
    println!("\nalgorithms it would try there, in order, for the layers of `deform bench`:");
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

type Limit = (&'static str, fn(&Limits) -> String);

/// The limits that decide how a call is split, and which tiles fit.
const LIMITS: &[Limit] = &[
    ("one storage binding", |limits| mebibytes(limits.max_storage_buffer_binding_size)),
    ("one buffer", |limits| mebibytes(limits.max_buffer_size)),
    ("workgroup memory", |limits| format!("{} KiB", limits.max_compute_workgroup_storage_size / 1024)),
    ("invocations a workgroup", |limits| limits.max_compute_invocations_per_workgroup.to_string()),
    ("workgroups an axis", |limits| limits.max_compute_workgroups_per_dimension.to_string()),
    ("storage buffers a stage", |limits| limits.max_storage_buffers_per_shader_stage.to_string()),
];

const FEATURES: &[(&str, Features)] = &[
    ("f16 in shaders", Features::SHADER_F16),
    ("subgroups", Features::SUBGROUP),
    ("timestamp queries", Features::TIMESTAMP_QUERY),
];

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The driver's name and version.
pub(crate) fn driver(info: &AdapterInfo) -> String {
    format!("{} {}", info.driver, info.driver_info).trim().to_owned()
}

/// An adapter in one line: what a reader needs to know about whose numbers these are.
pub(crate) fn describe(info: &AdapterInfo) -> String {
    format!("{} ({:?}, {:?}, driver {})", info.name, info.backend, info.device_type, driver(info))
}

/// One card can appear once a backend, so the name alone does not tell two entries apart.
fn same(a: &AdapterInfo, b: &AdapterInfo) -> bool {
    (&a.name, a.backend, a.vendor, a.device, &a.device_pci_bus_id)
        == (&b.name, b.backend, b.vendor, b.device, &b.device_pci_bus_id)
}
