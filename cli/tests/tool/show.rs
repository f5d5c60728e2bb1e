//! Tests of `deform show`.

use std::process::Command;

use deform_case::{CaseFile, DEFORM_CONV2D};
use safetensors::Dtype;

use crate::{Outcome, changed, changed_file, deform, folder, golden, text};

/// One tap of a printed table.
struct Row {
    mask: f64,
    sample: f64,
    weight: f64,
}

/// Returns the taps of all printed tables.
fn rows(stdout: &str) -> Vec<Row> {
    let first_lines = stdout.lines().filter(|line| line.contains(" y "));
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let number = |index: usize| words[index].parse().expect("a number");
        let end = words.len();
        Row { mask: number(5), sample: number(end - 3), weight: number(end - 2) }
    };
    first_lines.map(row).collect()
}

#[test]
fn the_taps_of_all_channels_add_up_to_the_pixel() {
    let mut outside = 0;
    // All outputs are 7 pixels high and 6 wide.
    for (name, batch, pixels) in
        [("c1o1", 0, vec![[0, 0], [3, 3], [6, 5]]), ("batch5", 4, vec![[2, 5]]), ("og2", 0, vec![[5, 1]])]
    {
        let file = CaseFile::read(&DEFORM_CONV2D, &golden(name)).expect("it can be read");
        let answer = file.answer("output").expect("it can be read").expect("the case has an answer");
        let bias = f64::from(file.operand("bias").expect("the case has a bias").values[0]);
        let in_channels = file.shape("input").expect("the case has an input")[1];
        for [y, x] in pixels {
            let want = answer.values[(batch * answer.shape[1] * 7 + y) * 6 + x];
            let mut sum = bias;
            for channel in 0..in_channels {
                let options = [format!("--at={y},{x}"), format!("--batch={batch}"), format!("--channel={channel}")];
                let [at, batch, channel] = options.each_ref().map(String::as_str);
                let stdout = deform(&["show", text(&golden(name)), at, batch, channel], 0).stdout;
                let taps = rows(&stdout);
                assert_eq!(taps.len(), 9);
                sum += taps.iter().map(|tap| tap.mask * tap.sample * tap.weight).sum::<f64>();
                outside += stdout.matches("outside  ").count();
                let printed = stdout.lines().find_map(|line| line.strip_prefix("channel 0: ")).expect("the output");
                let printed: f64 = printed.parse().expect("a number");
                assert!((printed - want).abs() < 1e-5, "{printed}, expected {want}");
            }
            assert!((sum - want).abs() < 5e-3, "{name} at {y},{x}: {sum}, expected {want}");
        }
    }
    assert!(outside > 0, "no tap of these pixels is outside the image");
}

#[test]
fn the_pixel_in_the_middle_of_the_first_image_is_the_default() {
    let case = golden("batch5");
    let default = deform(&["show", text(&case)], 0).stdout;
    assert_eq!(default, deform(&["show", text(&case), "--at", "3,3", "--batch", "0"], 0).stdout);
    assert_ne!(default, deform(&["show", text(&case), "--at", "3,3", "--batch", "4"], 0).stdout);
}

#[test]
fn show_prints_a_table_for_each_offset_group_or_for_one_channel() {
    // Six channels in two offset groups.
    let all = deform(&["show", text(&golden("og2"))], 0).stdout;
    for title in ["offset group 0, input channel 0", "offset group 1, input channel 3"] {
        assert!(all.contains(title), "expected {title:?} in:\n{all}");
    }
    assert_eq!(rows(&all).len(), 18);
    let one = deform(&["show", text(&golden("og2")), "--channel", "4"], 0).stdout;
    assert!(one.contains("offset group 1, input channel 4") && !one.contains("offset group 0"), "{one}");
    // Two weight groups of two output channels and three input channels.
    let second = deform(&["show", text(&golden("groups2")), "--channel", "3"], 0).stdout;
    assert!(second.contains("weight of output channel 2") && second.contains("\nchannel 3: "), "{second}");
}

#[test]
fn show_fits_100_columns() {
    let folder = folder();
    let far = changed(&folder, |tensors, _| {
        for name in ["input", "offset", "mask", "weight"] {
            let values = [-1.234_567e-12f32, -9.876_543e30].map(f32::to_le_bytes).concat();
            let (_, _, data) = tensors.get_mut(name).expect("the case has it");
            data.chunks_exact_mut(8).for_each(|pair| pair.copy_from_slice(&values));
        }
    });
    for case in [golden("v2"), golden("all_outside"), golden("k7"), golden("real_offset"), far] {
        let stdout = deform(&["show", text(&case)], 0).stdout;
        for line in stdout.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn show_measures_the_offsets() {
    // Each of the three offset groups moves its taps by one pixel along one axis, a third of them out of the image.
    let stdout = deform(&["show", text(&golden("article_shift"))], 0).stdout;
    let words = "mean |offset| 0.5 pixels, largest 1.0; 33.3 % of the taps are outside the image\n";
    assert!(stdout.contains(words), "{stdout}");
    let folder = folder();
    let not_finite = changed_file(&folder, &golden("article_shift"), |tensors, _| {
        let (dtype, _, data) = tensors.get_mut("offset").expect("the case has offsets");
        assert_eq!(*dtype, Dtype::F32);
        data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    let stdout = deform(&["show", text(&not_finite), "--at", "0,0"], 0).stdout;
    assert!(stdout.contains("mean |offset| 0.5094 pixels, largest 1.0; "), "{stdout}");
    assert!(stdout.contains("1.9 % are not finite") && stdout.contains("NaN"), "{stdout}");
}

#[test]
fn show_needs_no_adapter() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deform"));
    command.args(["show", text(&golden("v2"))]).env("WGPU_ADAPTER_NAME", "no such adapter");
    let outcome = Outcome::from(command.output().expect("the tool starts"));
    assert_eq!((outcome.code, rows(&outcome.stdout).len()), (Some(0), 9), "{}", outcome.stderr);
}

#[test]
fn a_pixel_that_does_not_exist_is_an_error_that_names_the_axis_and_its_size() {
    let case = golden("v2");
    for (option, value, words) in [
        ("--at", "7,0", ["--at y", "got 7", "less than 7", "height"]),
        ("--at", "0,6", ["--at x", "got 6", "less than 6", "width"]),
        ("--batch", "1", ["--batch", "got 1", "less than 1", "images"]),
        ("--channel", "4", ["--channel", "got 4", "less than 4", "input channels"]),
    ] {
        deform(&["show", text(&case), option, value], 1).says(&words);
    }
    for wrong in ["3", "3,x", "-1,2"] {
        deform(&["show", text(&case), &format!("--at={wrong}")], 2).says(&["y,x"]);
    }
}

#[test]
fn show_draws_the_taps() {
    let folder = folder();
    let path = folder.path().join("taps.png");
    let draw = |name: &str| {
        let stdout = deform(&["show", text(&golden(name)), "--at", "3,3", "--out", text(&path)], 0).stdout;
        assert!(stdout.contains("taps.png\nWhite squares"), "{stdout}");
        image::open(&path).expect("the picture was written").to_rgb8()
    };
    let zero = draw("zero_offset");
    // The 3×3 pixels around pixel 3,3 and three more on each side, at the largest zoom.
    assert_eq!(zero.dimensions(), (9 * 40, 9 * 40));
    let orange = |picture: &image::RgbImage, [y, x]: [u32; 2]| {
        let at = |place: u32| place * 40 + 20;
        picture.get_pixel(at(x), at(y)).0 == [255, 138, 40]
    };
    for tap in [[3, 3], [4, 4], [5, 3]] {
        assert!(orange(&zero, tap), "no dot at {tap:?}");
    }
    assert!(!orange(&zero, [2, 2]));
    // The input of c3o17 has three channels, which are drawn as colors.
    let greenish = |picture: &image::RgbImage| picture.pixels().any(|pixel| pixel.0[1] > pixel.0[0].saturating_add(30));
    assert!(greenish(&draw("c3o17")) && !greenish(&zero));
    // Dots far outside the image are left out.
    assert_eq!(draw("all_outside").dimensions(), (7 * 40, 7 * 40));
    deform(&["show", text(&golden("v2")), "--out", text(&folder.path().join("no/taps.png"))], 1).says(&["no/taps.png"]);
}
