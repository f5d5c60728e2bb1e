//! The algorithm that `Auto` takes, and the algorithms' names.

use deform::ops::deform_conv2d::{Algorithm, Tile};
use deform::plan::{DeviceKind, DeviceLimits, GpuClass};

use super::case::{PLAIN, Sizes, padded};
use super::plans::plan_of;

#[test]
fn auto_takes_the_algorithm_of_the_table() {
    let auto = |sizes: Sizes, limits: &DeviceLimits| plan_of(sizes, padded(), limits).unwrap().algorithm;
    let kind = |kind| DeviceLimits { kind, ..DeviceLimits::default() };
    let [lavapipe, discrete, integrated] =
        [DeviceKind::Cpu, DeviceKind::DiscreteGpu, DeviceKind::IntegratedGpu].map(kind);
    let lavapipe = DeviceLimits { subgroup_size: 8, ..lavapipe };
    let discrete = DeviceLimits { class: GpuClass::H100, ..discrete };
    let square = |channels, size| Sizes { in_channels: channels, out_channels: channels, input: [size; 2], ..PLAIN };
    let depthwise = Sizes { groups: 64, ..square(64, 56) };
    let table = [
        (square(64, 128), &lavapipe, "fused_subgroup"),
        (depthwise, &lavapipe, "depthwise"),
        (Sizes { groups: 16, ..depthwise }, &lavapipe, "fused_subgroup"),
        (square(64, 128), &DeviceLimits { subgroup_size: 4, ..lavapipe }, "fused_tiled_64x64"),
        (Sizes { groups: 16, ..depthwise }, &DeviceLimits { subgroup_size: 4, ..lavapipe }, "direct"),
        (square(64, 128), &discrete, "fused_packed_32x64"),
        (square(256, 128), &discrete, "fused_packed_128x128"),
        // The workspace does not hold the packed input.
        (square(256, 256), &discrete, "fused_tiled_128x128"),
        (square(512, 32), &discrete, "fused_packed_128x128/4"),
        (square(512, 16), &discrete, "fused_packed_128x128/16"),
        (square(16, 8), &discrete, "fused_tiled_32x64/9"),
        (Sizes { offset_groups: 64, ..square(64, 128) }, &discrete, "columns"),
        (depthwise, &discrete, "depthwise"),
        (square(64, 128), &integrated, "fused_packed_32x32"),
        (square(64, 7), &integrated, "fused_tiled_32x64/6"),
        (square(256, 256), &integrated, "fused_tiled_32x32"),
        // One image of this input exceeds a binding.
        (square(64, 1024), &discrete, "columns"),
    ];
    let found: Vec<_> = table.iter().map(|(sizes, limits, _)| auto(*sizes, limits)).collect();
    assert_eq!(found, table.map(|(_, _, expected)| expected));
}

#[test]
fn every_algorithm_parses_from_its_name() {
    let tiled = Tile::ALL.into_iter().flat_map(|tile| [1, 7].map(|splits| tile.algorithms(splits))).flatten();
    let others =
        [Algorithm::Auto, Algorithm::Columns, Algorithm::Direct, Algorithm::Depthwise, Algorithm::FusedSubgroup];
    for algorithm in tiled.chain(others) {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    for text in
        ["", "Columns", "columns/2", "fused_tiled", "fused_tiled_64x64/0", "fused_tiled_64x64/", "fused_tiled_64x65"]
    {
        let error = text.parse::<Algorithm>().unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}
