//! Tuning: `Auto` takes the algorithm that was measured to be the fastest. Which one that is does not matter to the
//! tests.

use std::time::Duration;

use deform::ops::deform_conv2d::{Algorithm, Tile, Tuning};
use deform::{DeformConv2d, Dtype, Error, Options};

use crate::device::{gpu, upload};
use crate::support::case::{Case, PLAIN, padded};
use crate::support::compare::compare;

fn case() -> Case {
    Case::new("tuned", PLAIN, padded())
}

fn planned(operator: &DeformConv2d, options: Options) -> String {
    operator.prepare(&case().shape_slices(), Dtype::F32, options).unwrap().plan().algorithm.clone()
}

#[test]
fn auto_takes_the_measured_algorithm() {
    let case = case();
    let operator = DeformConv2d::new(gpu());
    let inputs = upload(&case);
    let inputs = inputs.as_ref();
    let tuned = operator.tune(&inputs, case.options, Duration::ZERO).unwrap();
    // Without time, only the table's first choice is measured.
    assert_eq!(tuned.to_string(), planned(&DeformConv2d::new(gpu()), case.options));
    assert_eq!(operator.tuning().get(gpu(), &case.geometry()), Some(tuned));

    // With time, every candidate that the device can run is measured. Auto takes the winner, and its output is right.
    let tuned = operator.tune(&inputs, case.options, Duration::from_secs(600)).unwrap();
    assert_eq!(planned(&operator, case.options), tuned.to_string());
    let output = operator.forward(&inputs, case.options).unwrap().download::<f32>().unwrap();
    let (want, bounds) = case.expected();
    compare(&output, &want, &bounds).unwrap();
}

#[test]
fn tuning_survives_its_file_and_yields_to_a_small_workspace() {
    let case = case();
    let tiled = Algorithm::FusedTiled { tile: Tile::M32N32, splits: 2 };
    let mut tuning = Tuning::default();
    tuning.insert(gpu(), &case.geometry(), tiled);
    let folder = std::env::temp_dir().join(format!("deform-tuning-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("tuning");
    tuning.save(&path).unwrap();
    let loaded = Tuning::load(&path).unwrap();
    // A new file takes the place of the old one, which has another name here, and no other is left.
    let old = folder.join("old");
    std::fs::hard_link(&path, &old).unwrap();
    Tuning::default().save(&path).unwrap();
    assert_eq!((Tuning::load(&path).unwrap(), Tuning::load(&old).unwrap()), (Tuning::default(), tuning.clone()));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(tuning.save(&path), Err(Error::Tuning { .. })));
    assert_eq!(loaded, tuning);
    assert_eq!(Tuning::load(&path).unwrap(), Tuning::default(), "a missing file");

    let operator = DeformConv2d::with_tuning(gpu(), loaded);
    assert_eq!(planned(&operator, case.options), "fused_tiled_32x32/2");
    // A forced algorithm takes precedence, and a tuned one that exceeds the workspace is replaced.
    assert_eq!(planned(&operator, Options { algorithm: Algorithm::Direct, ..case.options }), "direct");
    let small = Options { workspace_limit: 3_000, ..case.options };
    assert_ne!(planned(&operator, small), "fused_tiled_32x32/2");
}

#[test]
fn a_file_of_another_format_is_an_error() {
    for (text, expected) in [
        ("a device and no more", "line 1: 1 columns, expected device, geometry and algorithm"),
        ("d\tg\tcolumns\nd\tg\tfastest", "line 2: \"fastest\" names no algorithm"),
    ] {
        let error = text.parse::<Tuning>().unwrap_err();
        assert!(matches!(error, Error::Tuning { .. }) && error.to_string().contains(expected), "{error}");
    }
    assert!(matches!(Tuning::load(std::env::temp_dir()), Err(Error::Tuning { .. })), "a folder");
}
