//! Random programs of what takes bytes or shapes: case files, state dicts, tuning files, geometry.

use deform::layers::State;
use deform::ops::deform_conv2d::{Geometry, Tuning};
use deform::{Inputs, Options};
use deform_case::CaseFile;
use rand::Rng;
use rand::rngs::StdRng;

use crate::support::fuzz::{changed, fuzz, size};

/// A parsed file may hold its names and shapes several times, and its values as f64 and f32.
fn memory(text: &[u8]) -> u64 {
    64 * text.len() as u64 + (1 << 16)
}

/// Returns the small stored cases.
fn files() -> Vec<Vec<u8>> {
    let folders = ["deform_conv2d", "deformable_conv2d", "shift"].map(|folder| format!("tests/golden/{folder}"));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let texts = files.into_iter().map(|file| std::fs::read(file).unwrap());
    let small: Vec<_> = texts.filter(|text| text.len() < 8000).collect();
    assert!(small.len() > 3);
    small
}

#[test]
#[ignore = "`cargo xtask fuzz` runs it"]
fn fuzz_case_files() {
    let files = files();
    fuzz(
        "case files",
        |rng| changed(rng, &files),
        |bytes| memory(bytes),
        |bytes| {
            let Ok(file) = CaseFile::parse_any("fuzz", bytes.clone()) else { return false };
            for name in file.names().unwrap() {
                assert!(file.has(&name));
                let _ = (file.shape(&name), file.operand(&name), file.answer(&name));
            }
            let _ = (file.gradients(), file.state(&[("weight", "weight")]), file.activation());
            let _ = (file.number("groups", 1), file.agree("offset_groups", 1));
            let (Ok(operands), Ok(options)) = (file.operands(), file.options()) else { return false };
            Geometry::new(operands.map(|operand| operand.shape.as_slice()), &options).is_ok()
        },
    );
}

#[test]
#[ignore = "`cargo xtask fuzz` runs it"]
fn fuzz_state_dicts() {
    let files = files();
    fuzz(
        "state dicts",
        |rng| changed(rng, &files),
        |bytes| memory(bytes),
        |bytes| {
            let Ok(state) = State::from_safetensors(bytes) else { return false };
            let written = state.to_safetensors().unwrap();
            let again = State::from_safetensors(&written).unwrap();
            assert_eq!(again.to_safetensors().unwrap(), written);
            true
        },
    );
}

#[test]
#[ignore = "`cargo xtask fuzz` runs it"]
fn fuzz_tuning_files() {
    let texts = [
        "llvmpipe (LLVM 15.0.6, 256 bits) Vulkan llvmpipe Mesa 22.3.6\t1×64×56×56 3×3\tfused_tiled_64x64/4\n",
        "a\tb\tauto\nc\td\tcolumns\ne\tf\tdirect\n\tg\tdepthwise\nh\t\tfused_subgroup\n",
    ];
    let texts = texts.map(|text| text.as_bytes().to_vec());
    fuzz(
        "tuning files",
        |rng| changed(rng, &texts),
        |bytes| memory(bytes),
        |bytes| {
            let Ok(tuning) = String::from_utf8_lossy(bytes).parse::<Tuning>() else { return false };
            assert_eq!(tuning.to_string().parse::<Tuning>().unwrap(), tuning);
            true
        },
    );
}

fn shapes(rng: &mut StdRng) -> (Inputs<Vec<usize>>, Options) {
    let mut pair = |least: usize| [size(rng).max(least), size(rng).max(least)];
    let [stride, padding, dilation] = [pair(0), pair(0), pair(0)];
    let options = Options { stride, padding, dilation, ..Options::default() };
    let [[batch, groups], [group_channels, group_outputs], input, kernel, [offset_groups, _]] =
        [pair(1), pair(1), pair(0), pair(0), pair(0)];
    // Half of the shapes fit together, unless a size is out of range.
    let out = |axis: usize| -> Option<usize> {
        let extent = dilation[axis].checked_mul(kernel[axis].checked_sub(1)?)?.checked_add(1)?;
        let room = input[axis].checked_add(padding[axis].checked_mul(2)?)?.checked_sub(extent)?;
        room.checked_div(stride[axis])?.checked_add(1)
    };
    let [out_height, out_width] = [0, 1].map(|axis| out(axis).unwrap_or(1));
    let taps = offset_groups.wrapping_mul(kernel[0].wrapping_mul(kernel[1]));
    let [in_channels, out_channels] = [group_channels, group_outputs].map(|channels| channels.wrapping_mul(groups));
    let mut shapes = Inputs {
        input: vec![batch, in_channels, input[0], input[1]],
        offset: vec![batch, taps.wrapping_mul(2), out_height, out_width],
        weight: vec![out_channels, group_channels, kernel[0], kernel[1]],
        mask: rng.random::<bool>().then(|| vec![batch, taps, out_height, out_width]),
        bias: rng.random::<bool>().then(|| vec![out_channels]),
    };
    for shape in [&mut shapes.input, &mut shapes.offset, &mut shapes.weight].into_iter().chain(&mut shapes.mask) {
        match rng.random_range(0..24) {
            0 => drop(shape.pop()),
            1 => shape.push(size(rng)),
            2..4 => shape[rng.random_range(0..4)] = size(rng),
            _ => {}
        }
    }
    (shapes, options)
}

#[test]
#[ignore = "`cargo xtask fuzz` runs it"]
fn fuzz_geometry() {
    fuzz(
        "geometry",
        shapes,
        |_| 1 << 16,
        |(shapes, options)| {
            let Ok(g) = Geometry::new(shapes.map(Vec::as_slice), options) else { return false };
            let sizes = [g.taps(), g.in_pixels(), g.out_pixels(), g.weight_elements(), g.offset_elements()];
            let channels = [g.channels_per_group(), g.out_channels_per_group(), g.channels_per_offset_group()];
            assert!(
                sizes.into_iter().chain(channels).chain([g.segment_channels()]).all(|size| size > 0 || g.batch == 0)
            );
            assert_eq!(g.output_shape()[0], shapes.input[0]);
            assert!(g.flops().is_finite() && !g.to_string().is_empty());
            true
        },
    );
}

#[test]
#[should_panic(expected = "numbers panics at seed")]
fn a_panic_is_found() {
    fuzz(
        "numbers",
        |rng| rng.random::<u8>(),
        |_| 1 << 16,
        |number| {
            assert!(*number != 7);
            true
        },
    );
}

#[test]
#[should_panic(expected = "a vector holds 1000 bytes at seed 0, expected at most 999")]
fn memory_is_found() {
    fuzz("a vector", |_| 1000, |_| 999, |bytes| Vec::<u8>::with_capacity(*bytes).is_empty());
}
