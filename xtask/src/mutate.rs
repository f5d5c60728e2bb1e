//! Mutation testing of the operators' shaders: change one operator of one line, and some device test must fail.
//!
//! A test suite can be green because the shaders are right or because it looks at nothing; this tells the two apart. It takes
//! minutes, so it is no part of `ci`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::{cargo, heading, run};

/// Operators, surrounded by spaces as everywhere in the shaders, and what each is changed into.
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

/// Changes that change nothing, with the reason.
const EQUIVALENT: [(&str, &str); 22] = [
    // A loop from first to end that are equal does nothing either.
    ("shaders/forward/im2col.wgsl", "|| first > end {"),
    // One more tile, all zeros.
    ("shaders/forward/matmul.wgsl", "k_start <= params.depth; k_start += TILE_K) {"),
    // One more row or column of the tile filled, whose outputs are not stored.
    ("shaders/forward/matmul.wgsl", "weight_row <= params.rows && k_start + weight_k < params.depth {"),
    ("shaders/forward/matmul.wgsl", "columns_column <= params.columns_width && k_start + columns_k < params.depth {"),
    // The binding ends with the step's elements, and WebGPU keeps what lies behind.
    ("shaders/activation/activate.wgsl", "if number > params.elements {"),
    ("shaders/activation/grad_activation.wgsl", "if number > params.elements {"),
    ("shaders/optimizer/adam.wgsl", "if number > params.elements {"),
    ("shaders/optimizer/sgd.wgsl", "if number > params.elements {"),
    ("shaders/shift/channel_shift.wgsl", "if number > params.elements {"),
    ("shaders/statistics/magnitude.wgsl", "for (var n = slice; n <= params.elements; n += SLICES) {"),
    ("shaders/statistics/reduce.wgsl", "for (var slice = 0u; slice <= SLICES; slice++) {"),
    // The grid has SLICES invocations, and only the first of one workgroup passes.
    ("shaders/statistics/magnitude.wgsl", "if slice > SLICES {"),
    ("shaders/statistics/reduce.wgsl", "* WORKGROUP_SIZE - lane > 0u {"),
    // At 0 both sides are equal.
    ("shaders/activation/activate.wgsl", "select(value, 0.0, value <= 0.0));"),
    ("shaders/activation/activate.wgsl", "select(1.0, e, value <= 0.0);"),
    // A row below the last is no pixel of the window.
    ("shaders/backward/col2im.wgsl", "u32(at.y) <= out_height && out_pixel < params.pixels;"),
    // Channels that a pack only fills up hold zeros: what is added to the next plane is 0. That it would be a race no CPU driver shows.
    ("shaders/backward/col2im.wgsl", "let channels = params.segment_channels - (params.pack_start + in_segment) + 4u;"),
    ("shaders/backward/col2im.wgsl", "let channels = params.segment_channels - (params.pack_start - in_segment) * 4u;"),
    ("shaders/backward/col2im.wgsl", "let channels = params.segment_channels + (params.pack_start + in_segment) * 4u;"),
    ("shaders/backward/col2im.wgsl", "if channels >= 1u { grad_input[to + size] += sum.y; }"),
    ("shaders/backward/col2im.wgsl", "if channels >= 2u { grad_input[to + 2u * size] += sum.z; }"),
    ("shaders/backward/col2im.wgsl", "if channels >= 3u { grad_input[to + 3u * size] += sum.w; }"),
];

/// The folders of the convolutions' shaders.
const CONVOLUTION: [&str; 4] = ["shaders/convolution", "shaders/forward", "shaders/backward", "shaders/sort"];

/// The tests of a shader, the quick ones first: most changes fall to them.
fn filters(file: &Path) -> [&'static [&'static str]; 2] {
    if CONVOLUTION.iter().any(|folder| file.starts_with(folder)) {
        return [&["golden", "identities"], &["table", "little", "more_workgroups", "mesas", "random"]];
    }
    [&["shift", "training", "activations_alone", "layers::cycle"], &["golden", "conv2d", "layers"]]
}

/// A changed shader that loops for ever or too long counts as noticed.
const TIME_LIMIT_SECONDS: &str = "300";

/// A shader with one operator changed.
struct Mutant {
    /// Counted from 1.
    line: usize,
    /// The line as changed.
    changed: String,
    /// The whole file as changed.
    text: String,
}

/// Where the changed crate lives.
const TREE: &str = "target/mutants/tree";

/// Its target folder. Not the checkout's own: cargo tells two copies of a workspace apart by nothing but their files' times, and
/// could take a changed crate's tests for the checkout's.
const TARGET: &str = "target/mutants/target";

/// Changes every operator of every shader of the operators in turn, in a clone of the last commit.
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
    ensure!(total > 0, "no shader of that name");
    ensure!(survivors.is_empty(), "no test noticed {} of {total} changes:\n{}", survivors.len(), survivors.join("\n"));
    println!("{total} changes, and a test noticed each that changes anything.");
    Ok(())
}

/// The given files, or all: those of the operators and what they share. The roofline's micro-kernels compute nothing to be right.
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
            // A line may begin with its operator: the space before it is then the indentation's last.
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

/// Whether the tests of this shader pass.
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
    fn the_rest_of_the_file_stays() {
        let all = mutants("a\nb == c\nd\n");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].line, all[0].text.as_str()), (2, "a\nb != c\nd\n"));
    }
}
