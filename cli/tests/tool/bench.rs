//! Tests of `deform bench`.

use crate::{deform, folder, text};

#[test]
fn bench_lists_its_layers() {
    let names = deform(&["bench", "--list"], 0).stdout;
    assert_eq!((names.lines().count(), names.lines().last()), (18, Some("cyclefc")));
    let sizes = deform(&["bench", "--map", "--list"], 0).stdout;
    assert!(sizes.starts_with("64→64 @ 64×64, 3×3\n") && sizes.contains("1024 × 16→16 @ 7×7, 3×3\n"), "{sizes}");
    assert!(deform(&["bench", "--map", "--pass", "forward"], 2).stderr.contains("cannot be used with"));
}

#[test]
fn bench_measures_a_layer_and_writes_json() {
    let folder = folder();
    let path = folder.path().join("bench.json");
    let arguments = ["bench", "--layer", "cyclefc", "--runs", "1", "--json", text(&path)];
    let stdout = deform(&arguments, 0).stdout;
    for words in ["adapter", "driver", "command  deform bench", "cyclefc", "forward", "backward", "GFLOP/s"] {
        assert!(stdout.contains(words), "expected {words:?} in:\n{stdout}");
    }
    let document = std::fs::read_to_string(&path).expect("the file was written");
    let document: serde_json::Value = serde_json::from_str(&document).expect("it is JSON");
    assert_eq!(document["layers"][0]["layer"], "cyclefc");
    assert_eq!(document["layers"][0]["shapes"]["offset"], serde_json::json!([1, 128, 56, 56]));
    assert!(document["layers"][0]["algorithm"].as_str().is_some_and(|name| !name.is_empty()));
    for (row, pass) in ["forward", "backward"].into_iter().enumerate() {
        assert_eq!(document["layers"][row]["pass"], pass);
        assert!(document["layers"][row]["error_of_bound"].as_f64().is_some_and(|ratio| ratio <= 1.0));
    }
}

#[test]
fn bench_measures_generators() {
    let folder = folder();
    let json = folder.path().join("bench.json");
    let arguments =
        ["bench", "--layer", "birefnet_k7_small", "--pass", "generator", "--runs", "1", "--json", text(&json)];
    let stdout = deform(&arguments, 0).stdout;
    assert!(stdout.contains("birefnet_k7_small") && stdout.contains("generator"), "{stdout}");
    let document = std::fs::read_to_string(&json).expect("it was written");
    let document: serde_json::Value = serde_json::from_str(&document).expect("it is JSON");
    let layer = &document["layers"][0];
    assert_eq!(layer["pass"], "generator");
    let error = layer["error_of_bound"].as_f64();
    assert!(error.is_some_and(|error| error > 0.0 && error <= 1.0), "{layer}");
}

#[test]
fn steps_are_timed_one_by_one() {
    let bench = deform(&["bench", "--steps", "--layer", "cyclefc", "--runs", "1"], 0).stdout;
    let lines: Vec<_> = bench.lines().collect();
    for words in [["cyclefc forward", "pack_input"], ["cyclefc backward", "backward/grad_offset"]] {
        let title = lines.iter().position(|line| line.contains(words[0])).expect("the layer and the pass");
        let rows = lines[title + 1..].iter().take_while(|line| !line.is_empty());
        assert!(rows.clone().any(|row| row.contains(words[1])), "{bench}");
        let milliseconds = rows.filter_map(|row| row.split('|').nth(4)?.trim().parse::<f64>().ok());
        assert!(milliseconds.sum::<f64>() > 0.0, "{bench}");
    }
}
