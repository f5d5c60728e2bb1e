//! The changes of a shader's text.

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

/// A shader with one operator changed.
pub(super) struct Mutant {
    /// The number of the line, counted from 1.
    pub(super) line: usize,
    /// The changed line.
    pub(super) changed: String,
    /// The whole file with the changed line.
    pub(super) text: String,
}

/// Returns the mutants of a shader: one for each operator inside a function. The other lines declare what the library
/// was compiled with.
pub(super) fn mutants(text: &str) -> Vec<Mutant> {
    let lines: Vec<&str> = text.lines().collect();
    let mut mutants = Vec::new();
    for n in inside_functions(&lines) {
        let line = lines[n];
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

/// Returns the indices of the lines inside functions. A function begins with a line `fn …` and ends with a line that is
/// a brace, neither of which is indented, or is one line.
fn inside_functions(lines: &[&str]) -> impl Iterator<Item = usize> {
    let mut inside = false;
    lines.iter().enumerate().filter_map(move |(n, line)| {
        let begins = line.starts_with("fn ");
        inside = (inside || begins) && *line != "}";
        let found = inside.then_some(n);
        inside &= !(begins && line.ends_with('}'));
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> Vec<String> {
        mutants(text).into_iter().map(|mutant| mutant.changed).collect()
    }

    #[test]
    fn every_operator_of_a_line_is_changed_once() {
        assert_eq!(
            changed("fn main() {\n    let a = b * c + d; // x - y\n        && e < f\n}\n"),
            [
                "    let a = b * c - d; // x - y",
                "    let a = b + c + d; // x - y",
                "        && e <= f",
                "        || e < f"
            ]
        );
    }

    #[test]
    fn the_other_lines_stay_the_same() {
        let all = mutants("fn f(\n    a: u32,\n) {\n    b == c\n}\n");
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].line, all[0].text.as_str()), (4, "fn f(\n    a: u32,\n) {\n    b != c\n}\n"));
    }

    #[test]
    fn lines_outside_functions_are_not_changed() {
        let outside = "const A = B + C;\nstruct S {\n    a: array<u32, D + E>,\n}\n//@ constant A Is B + C.\n";
        assert_eq!(changed(outside), [""; 0]);
        let text = format!("{outside}@compute @workgroup_size(F + G)\nfn main() {{\n    a < b\n}}\n{outside}");
        assert_eq!(changed(&text), ["    a <= b"]);
    }

    #[test]
    fn a_function_may_be_one_line() {
        assert_eq!(changed("fn f() -> u32 { return a + b; }\nconst C = D + E;\n"), ["fn f() -> u32 { return a - b; }"]);
    }

    #[test]
    fn a_block_inside_a_function_does_not_end_it() {
        assert_eq!(changed("fn f() {\n    if a {\n    }\n    b = c / d;\n}\n"), ["    b = c * d;"]);
    }
}
