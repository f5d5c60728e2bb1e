//! Mutation testing of the shaders: after a change of one WGSL operator in one line, some device test must fail.
//!
//! A test suite can pass because the shaders are right or because it checks nothing; this tells the two apart. It takes
//! minutes, so `ci` does not run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::{cargo, heading, run};

/// The WGSL operators and their replacements. The shaders write every operator with spaces around it.
const CHANGES: [(&str, &str); 14] = [
    ("+", "-"),
    ("-", "+"),
    ("*", "+"),
    ("/", "*"),
    ("%", "/"),
    ("<", "<="),
    ("<=", "<"),
    (">", ">="),
    (">=", ">"),
    ("==", "!="),
    ("!=", "=="),
    ("&&", "||"),
    ("||", "&&"),
    ("+=", "-="),
];

/// The changes that do not change any result, with the reason: the shader file, and the end of the changed line.
const EQUIVALENT: [(&str, &str); 22] = [
    // If first == end, the loop behind this return has no iteration.
    ("shaders/forward/im2col.wgsl", "|| first > end {"),
    // One more tile, which is all zeros.
    ("shaders/forward/matmul.wgsl", "k_start <= params.depth; k_start += TILE_K) {"),
    // Fills one more row or column of the tile, whose outputs are not stored.
    ("shaders/forward/matmul.wgsl", "weight_row <= params.rows && k_start + weight_k < params.depth {"),
    ("shaders/forward/matmul.wgsl", "columns_column <= params.columns_width && k_start + columns_k < params.depth {"),
    // The binding ends with the step's elements, and WebGPU allows no access behind a binding.
    ("shaders/activation/activate.wgsl", "if number > params.elements {"),
    ("shaders/activation/grad_activation.wgsl", "if number > params.elements {"),
    ("shaders/optimizer/adam.wgsl", "if number > params.elements {"),
    ("shaders/optimizer/sgd.wgsl", "if number > params.elements {"),
    ("shaders/shift/channel_shift.wgsl", "if number > params.elements {"),
    ("shaders/statistics/magnitude.wgsl", "for (var n = slice; n <= params.elements; n += SLICES) {"),
    ("shaders/statistics/reduce.wgsl", "for (var slice = 0u; slice <= SLICES; slice++) {"),
    // The first grid has exactly SLICES invocations. The second is one workgroup, of which only lane 0 passes either
    // way.
    ("shaders/statistics/magnitude.wgsl", "if slice > SLICES {"),
    ("shaders/statistics/reduce.wgsl", "* WORKGROUP_SIZE - lane > 0u {"),
    // One more partition counts behind the others or, where the buffer ends, into the last counter. Nobody reads either.
    ("shaders/sort/count.wgsl", "if number > params.groups * params.partitions {"),
    // Both branches give the same value at 0.
    ("shaders/activation/activate.wgsl", "select(1.0, e, value <= 0.0);"),
    // The row below the last one lies in no window, which the second condition excludes.
    ("shaders/backward/col2im.wgsl", "u32(at.y) <= out_height && out_pixel < params.pixels;"),
    // The channels that fill up a pack hold zeros, so the next plane gets 0 added. That would be a data race, which no
    // CPU driver shows.
    ("shaders/backward/col2im.wgsl", "let channels = params.segment_channels - (params.pack_start + in_segment) + 4u;"),
    ("shaders/backward/col2im.wgsl", "let channels = params.segment_channels - (params.pack_start - in_segment) * 4u;"),
    ("shaders/backward/col2im.wgsl", "let channels = params.segment_channels + (params.pack_start + in_segment) * 4u;"),
    ("shaders/backward/col2im.wgsl", "if channels >= 1u { grad_input[to + size] += sum.y; }"),
    ("shaders/backward/col2im.wgsl", "if channels >= 2u { grad_input[to + 2u * size] += sum.z; }"),
    ("shaders/backward/col2im.wgsl", "if channels >= 3u { grad_input[to + 3u * size] += sum.w; }"),
];

/// The folders of the convolutions' shaders.
const CONVOLUTION: [&str; 4] = ["shaders/convolution", "shaders/forward", "shaders/backward", "shaders/sort"];

/// Returns the names that select the tests of a shader, in two groups. The quick tests come first, because they notice
/// most changes.
fn filters(file: &Path) -> [&'static [&'static str]; 2] {
    if CONVOLUTION.iter().any(|folder| file.starts_with(folder)) {
        return [&["golden", "identities"], &["table", "small_bindings", "more_workgroups", "mesas", "random"]];
    }
    [&["shift", "training", "activations_alone", "layers::cycle"], &["golden", "conv2d", "layers"]]
}

/// The time limit of one test run. A changed shader that exceeds it counts as noticed.
const TIME_LIMIT_SECONDS: &str = "300";

/// A shader with one operator changed.
struct Mutant {
    /// The number of the line, counted from 1.
    line: usize,
    /// The changed line.
    changed: String,
    /// The whole file with the changed line.
    text: String,
}

/// The clone whose shaders are changed.
const TREE: &str = "target/mutants/tree";

/// The clone's target folder. It is not the checkout's: cargo tells two copies of a workspace apart only by their
/// files' times, and could take the clone's tests for the checkout's.
const TARGET: &str = "target/mutants/target";

/// Changes every WGSL operator of the shaders in turn, in a clone of the last commit, and runs the tests after each
/// change.
pub(crate) fn mutate(files: &[PathBuf]) -> Result<()> {
    heading("mutation of the shaders");
    let tree = Path::new(TREE);
    if tree.exists() {
        std::fs::remove_dir_all(tree)?;
    }
    run(Command::new("git").args(["clone", "--quiet", "."]).arg(tree))?;
    for folder in [CONVOLUTION[0], "shaders"] {
        ensure!(tests_pass(tree, Path::new(folder))?, "the tests of {folder} fail without any change");
    }

    let (mut total, mut survivors) = (0, Vec::new());
    for file in shaders(tree, files)? {
        let original = std::fs::read_to_string(tree.join(&file))?;
        for mutant in mutants(&original) {
            std::fs::write(tree.join(&file), &mutant.text)?;
            let noticed = !tests_pass(tree, &file)?;
            let equivalent = EQUIVALENT.iter().any(|(f, end)| file == Path::new(f) && mutant.changed.ends_with(end));
            let verdict = match (noticed, equivalent) {
                (true, _) => "noticed",
                (false, true) => "equivalent",
                (false, false) => "SURVIVED",
            };
            let line = format!("{verdict} {}:{} {}", file.display(), mutant.line, mutant.changed.trim());
            println!("{line}");
            total += 1;
            survivors.extend((verdict == "SURVIVED").then_some(line));
        }
        std::fs::write(tree.join(&file), original)?;
    }
    ensure!(total > 0, "there is no shader of that name");
    ensure!(survivors.is_empty(), "no test noticed {} of {total} changes:\n{}", survivors.len(), survivors.join("\n"));
    println!("{total} changes: a test noticed each one that changes a result.");
    Ok(())
}

/// Returns the given shader files, or all if none is given. The roofline's micro-kernels are left out, because no test
/// checks their results.
fn shaders(tree: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(tree.join("shaders"))? {
        let folder = folder?.path();
        if folder.ends_with("roofline") {
            continue;
        }
        for file in std::fs::read_dir(&folder)? {
            found.push(file?.path().strip_prefix(tree)?.to_path_buf());
        }
    }
    found.sort();
    found.retain(|file| files.is_empty() || files.contains(file));
    Ok(found)
}

fn mutants(text: &str) -> Vec<Mutant> {
    let lines: Vec<&str> = text.lines().collect();
    let mut mutants = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (operator, other) in CHANGES {
            let operator = format!(" {operator} ");
            // An operator at the start of a line is preceded by the last space of the indentation.
            for (at, _) in code.match_indices(&operator) {
                let changed = format!("{} {other} {}", &line[..at], &line[at + operator.len()..]);
                let mut copy = lines.clone();
                copy[n] = &changed;
                let text = copy.join("\n") + "\n";
                mutants.push(Mutant { line: n + 1, changed, text });
            }
        }
    }
    mutants
}

/// Returns whether the tests of this shader pass.
fn tests_pass(tree: &Path, file: &Path) -> Result<bool> {
    for filters in filters(file) {
        let cargo = cargo(["test", "--quiet", "-p", "deform", "--test", "device", "--"]);
        let status = Command::new("timeout")
            .arg(TIME_LIMIT_SECONDS)
            .arg(cargo.get_program())
            .args(cargo.get_args())
            .args(filters)
            .current_dir(tree)
            .env("CARGO_TARGET_DIR", std::path::absolute(TARGET)?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("could not start `timeout`")?;
        if !status.success() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_of_a_line_is_changed_once() {
        let changed: Vec<_> =
            mutants("let a = b * c + d; // x - y\n  && e < f\n").into_iter().map(|m| m.changed).collect();
        assert_eq!(
            changed,
            ["let a = b * c - d; // x - y", "let a = b + c + d; // x - y", "  && e <= f", "  || e < f"]
        );
    }

    #[test]
    fn the_other_lines_stay_the_same() {
        let all = mutants("a\nb == c\nd\n");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].line, all[0].text.as_str()), (2, "a\nb != c\nd\n"));
    }

    #[test]
    fn every_equivalent_change_is_one_of_the_shaders() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (file, end) in EQUIVALENT {
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(mutants(&text).iter().any(|mutant| mutant.changed.ends_with(end)), "{file} has no change {end:?}");
        }
    }
}
