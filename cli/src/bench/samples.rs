//! The comparison of some elements of an output with the CPU reference.

use deform::Inputs;
use deform::ops::deform_conv2d::Geometry;
use deform::ops::deform_conv2d::reference::Reference;
use deform_case::{Comparison, ErrorBounds};

/// Compares the output elements at the indices `samples` with the reference. The whole reference would take minutes for
/// a large layer.
pub(crate) fn compare(
    geometry: &Geometry,
    inputs: &Inputs<&[f32]>,
    got: &[f32],
    samples: impl IntoIterator<Item = usize>,
) -> deform::Result<Comparison> {
    let reference = Reference::new(geometry, *inputs)?;
    let bounds = ErrorBounds::new(reference);
    let mut comparison = Comparison::default();
    for index in samples {
        let (rest, ox) = (index / geometry.out_width, index % geometry.out_width);
        let (rest, oy) = (rest / geometry.out_height, rest % geometry.out_height);
        let place = [rest / geometry.out_channels, rest % geometry.out_channels, oy, ox];
        comparison.add(index, f64::from(got[index]), reference.output_at(place), bounds.output_at(place));
    }
    Ok(comparison)
}
