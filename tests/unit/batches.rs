//! Plans of large batches: small images are worked on many at a time, so the steps do not grow with the batch.

use deform::Options;
use deform::ops::deform_conv2d::{Algorithm, Geometry};
use deform::plan::{DeviceLimits, MAX_STEPS, Plan};

use super::case::{PLAIN, Sizes, padded};
use super::loops::{geometries, plans};
use super::plans::{param, plan_of, subgroups_of_8};

/// Returns the plans of deformable and ordinary convolutions of these sizes, forward by all algorithms and backward, on
/// two devices.
fn all_plans(sizes: Sizes, options: Options) -> impl Iterator<Item = Plan> {
    let of = move |geometry: Geometry| {
        [DeviceLimits::default(), subgroups_of_8()]
            .into_iter()
            .flat_map(move |limits| plans(&geometry, options, &limits))
    };
    geometries(sizes, options).into_iter().flat_map(of)
}

#[test]
fn a_thousand_small_images_take_tens_of_steps() {
    let layer = Sizes { batch: 1024, in_channels: 64, out_channels: 64, input: [7, 7], ..PLAIN };
    for sizes in [layer, Sizes { groups: 64, ..layer }, Sizes { offset_groups: 8, ..layer }] {
        let mut seen = 0;
        for plan in all_plans(sizes, padded()) {
            assert!(plan.steps.len() < 256, "{}: {}", plan.algorithm, plan.steps.len());
            assert!(plan.memory_bytes() <= padded().workspace_limit, "{}", plan.algorithm);
            seen += 1;
        }
        assert!(seen > 40, "{seen} plans");
    }
}

#[test]
fn every_batch_has_a_plan() {
    let options = Options::default();
    let dots = Sizes { in_channels: 1, out_channels: 1, kernel: [1, 1], input: [1, 1], ..PLAIN };
    let layer = Sizes { in_channels: 8, out_channels: 8, input: [5, 5], ..PLAIN };
    // CycleMLP's layer has an offset group for each channel.
    let cycle = Sizes { in_channels: 16, out_channels: 16, offset_groups: 16, kernel: [1, 1], input: [4, 4], ..PLAIN };
    for (sizes, batch) in [(dots, 4682), (dots, 5_000_000), (layer, 4370), (layer, 100_000), (cycle, 70_000)] {
        let mut seen = 0;
        for plan in all_plans(Sizes { batch, ..sizes }, options) {
            assert!(plan.steps.len() as u64 <= MAX_STEPS / 2, "{}: {}", plan.algorithm, plan.steps.len());
            seen += 1;
        }
        assert!(seen > 40, "{seen} plans");
    }
}

/// The parts of the batch follow each other without a gap.
#[test]
fn every_image_is_worked_on_once() {
    for batch in [1, 7, 655, 656, 1999] {
        let sizes = Sizes { batch, in_channels: 32, input: [5, 5], ..PLAIN };
        let options = Options { algorithm: Algorithm::FusedSubgroup, ..padded() };
        let plan = plan_of(sizes, options, &subgroups_of_8()).unwrap();
        let pixels = |kernel: &str| {
            let steps = plan.steps.iter().filter(|step| step.kernel.file == kernel);
            steps
                .map(|step| param(step, if kernel == "convolution/pack_input" { "images" } else { "pixels" }))
                .sum::<u64>()
        };
        assert_eq!([pixels("convolution/pack_input"), pixels("forward/fused_subgroup") / 25], [batch as u64; 2]);
    }
}

/// Planes of packs lie beside each other where a texture is not high enough for them. Then a plane still holds many
/// images.
#[test]
fn planes_lie_beside_each_other_in_a_low_texture() {
    let sizes = Sizes { batch: 300, in_channels: 64, input: [5, 5], ..PLAIN };
    let options = Options { algorithm: Algorithm::FusedSubgroup, ..padded() };
    let step = |max_texture_axis| {
        let limits = DeviceLimits { max_texture_axis, ..subgroups_of_8() };
        let plan = plan_of(sizes, options, &limits).unwrap();
        let fused = plan.steps.iter().find(|step| step.kernel.file == "forward/fused_subgroup").unwrap();
        [param(fused, "pixels"), param(fused, "plane_columns"), param(fused, "plane_rows")]
    };
    assert_eq!(step(1 << 16), [300 * 25, 0, 300 * 6]);
    assert_eq!(step(1 << 12), [300 * 25, 8, 0]);
}
