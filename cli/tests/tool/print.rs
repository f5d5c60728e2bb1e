//! Tests of `deform run --print`.

use deform_case::{CYCLE_FC, CaseFile, DEFORM_CONV2D, DEFORMABLE_CONV2D, SHIFT};

use crate::layers::stored;
use crate::{deform, golden, text};

#[test]
fn print_shows_a_small_output_in_full() {
    let stdout = deform(&["run", "deform_conv2d", text(&golden("article_shift")), "--print"], 0).stdout;
    for rows in [
        "output [1, 5, 3, 3]\n[[[[ 0.0,  0.0,  1.0],\n   [ 0.0,  3.0,  4.0],\n   [ 0.0,  6.0,  7.0]],\n\n",
        "\n\n  [[10.0, 11.0,  0.0],\n   [13.0, 14.0,  0.0],\n   [16.0, 17.0,  0.0]]]]\n",
    ] {
        assert!(stdout.contains(rows), "expected\n{rows}\nin\n{stdout}");
    }
}

#[test]
fn print_shows_the_results_of_every_operator() {
    let cases = [
        (&DEFORM_CONV2D, golden("v2")),
        (&DEFORMABLE_CONV2D, stored("deformable_conv2d").remove(0)),
        (&CYCLE_FC, stored("cycle_fc").remove(0)),
        (&SHIFT, stored("shift").remove(0)),
    ];
    for (operator, path) in cases {
        let file = CaseFile::read(operator, &path).expect("it can be read");
        let operator = operator.name;
        let stdout = deform(&["run", operator, "--backward", "--print", text(&path)], 0).stdout;
        for name in ["output", "grad_input"] {
            let answer = file.answer(name).expect("it can be read").expect("the case has an answer");
            let values = stdout.split_once(&format!("\n{name} {:?}\n", answer.shape)).expect("its name and shape").1;
            let first = values.trim_start_matches('[').split([',', ']']).next().expect("a number").trim();
            let first: f64 = first.parse().expect("it is a number");
            let want = answer.values[0];
            assert!((first - want).abs() <= 1e-5 * want.abs().max(1.0), "{operator} {name}: {first}, expected {want}");
        }
    }
}

#[test]
fn print_leaves_out_the_middle_of_a_large_output() {
    let stdout = deform(&["run", "deform_conv2d", text(&golden("edvr")), "--print"], 0).stdout;
    assert!(stdout.contains("...") && stdout.len() < 10_000, "{stdout}");
}
