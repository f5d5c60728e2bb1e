//! Tests of `deform demo`.

use crate::{deform, folder, text};

#[test]
fn demo_prints_its_numbers_and_writes_its_pictures() {
    let folder = folder();
    let stdout = deform(&["demo", "--out", text(folder.path())], 0).stdout;
    for words in ["[  0  0  1 ]", "In pictures", "The CPU reference"] {
        assert!(stdout.contains(words), "expected {words:?} in:\n{stdout}");
    }
    for name in ["1_bend.png", "2_focus.png", "3_brush.png", "4_taps.png"] {
        assert!(stdout.contains(name), "expected {name} in:\n{stdout}");
        let picture = std::fs::read(folder.path().join(name)).expect("the picture was written");
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
    }
}

#[test]
fn demo_bends_a_photograph_of_the_user() {
    let folder = folder();
    // The type of a file follows from its content, not from its name.
    for (name, format, size, shown) in [
        ("small.png", image::ImageFormat::Png, (50, 40), (50, 40)),
        ("large.picture", image::ImageFormat::Jpeg, (80, 1280), (40, 640)),
    ] {
        let path = folder.path().join(name);
        let byte = |value: u32| value.to_le_bytes()[0];
        let photo = image::RgbImage::from_fn(size.0, size.1, |x, y| image::Rgb([byte(5 * x), byte(3 * y), 90]));
        photo.save_with_format(&path, format).expect("it can be written");
        let stdout = deform(&["demo", "--out", text(folder.path()), "--photo", text(&path)], 0).stdout;
        assert_eq!(stdout.contains("is scaled down from 80 by 1280 to 40 by 640 pixels"), size != shown, "{stdout}");
        let panels = image::open(folder.path().join("1_bend.png")).expect("the picture was written").to_rgb8();
        assert_eq!(panels.dimensions(), (2 * shown.0 + 3 * 14, shown.1 + 30 + 2 * 14));
        // The first panel is the photograph.
        let [got, want] =
            [panels.get_pixel(14 + 10, 44 + 10), photo.get_pixel(10 * size.0 / shown.0, 10 * size.0 / shown.0)];
        assert!(got.0.iter().zip(&want.0).all(|(got, want)| got.abs_diff(*want) < 12), "{got:?}, expected {want:?}");
    }
}

#[test]
fn a_photograph_that_cannot_be_used_is_named() {
    let folder = folder();
    let path = folder.path().join("photo.png");
    let arguments = ["demo", "--out", text(folder.path()), "--photo", text(&path)];
    deform(&arguments, 1).says(&["cannot read the photograph", "photo.png"]);
    std::fs::write(&path, "not a picture").expect("it can be written");
    deform(&arguments, 1).says(&["cannot read the photograph", "photo.png", "PNG"]);
    image::RgbImage::new(100, 31).save(&path).expect("it can be written");
    // The reader's error has its cause in its text, which is printed once.
    let mut bytes = std::fs::read(&path).expect("it can be read");
    bytes[20] ^= 1;
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, bytes).expect("it can be written");
    let outcome = deform(&["demo", "--out", text(folder.path()), "--photo", text(&broken)], 1);
    outcome.says(&["broken.png", "CRC"]);
    assert_eq!(outcome.stderr.matches("CRC").count(), 1, "{}", outcome.stderr);
    deform(&arguments, 1).says(&["photo.png", "100 by 31 pixels", "at least 32 by 32"]);
}
