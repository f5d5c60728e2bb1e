//! Tests of the directive expander, on made-up files.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::expand::{Expanded, expand};
use super::sources::{Choice, variants};

const STORED: &str = "alias {name}_element = f32;\n#if written\nfn write_{name}() {}\n#end\n";

/// Expands the file `a/main`, whose text is `main`. `others` are further files that it may use.
fn module(main: &str, variant: &str, others: &[(&str, &str)]) -> Result<Expanded, String> {
    let find = |path: &str| match path {
        "a/main" => Some(main),
        "shared/stored_f32" => Some(STORED),
        _ => others.iter().find(|(known, _)| *known == path).map(|(_, text)| *text),
    };
    let stored = "shared/stored_f32";
    let choice = Choice { file: "a/main", variant, deformed: true, operands: stored, output: stored };
    expand(choice, &find).map_err(|error| error.to_string())
}

fn text(main: &str) -> String {
    module(main, "", &[]).unwrap().text
}

fn error(main: &str) -> String {
    module(main, "", &[]).unwrap_err()
}

#[test]
fn wgsl_stays_as_it_is() {
    let wgsl = "// {comments} stay\nfn f() {\n    if x { y = 1u; } // {too}\n}\n";
    assert_eq!(text(wgsl), wgsl);
}

#[test]
fn loops_are_written_out() {
    assert_eq!(
        text("#for p in 0..3\nlet a_{p} = {p * 2}u;\n#end\nlast\n"),
        "let a_0 = 0u;\nlet a_1 = 2u;\nlet a_2 = 4u;\nlast\n"
    );
    assert_eq!(text("#for p in 1..8 step 3\n{p}\n#end\n"), "1\n4\n7\n");
    assert_eq!(text("#for p in 2..2\n{p}\n#end\nlast\n"), "last\n");
    assert_eq!(text("#for a in 0..2\n#for b in a..2\n{a}{b}\n#end\n#end\n"), "00\n01\n11\n");
}

#[test]
fn conditions_choose_lines() {
    let branches = "#for p in 0..3\n#if p % 2 == 0\neven {p}\n#else\nodd {p}\n#end\n#end\n";
    assert_eq!(text(branches), "even 0\nodd 1\neven 2\n");
    assert_eq!(text("#if 1 > 2\nno\n#end\nlast\n"), "last\n");
}

#[test]
fn expressions_know_constants_of_all_files() {
    let main = "//@ uses a/sizes\nconst TILE = HALF * 2u;\n#for p in 0..TILE / 4\n{(p + 1) * TILE}\n#end\n";
    let module = module(main, "", &[("a/sizes", "const HALF: u32 = 4u;\n")]).unwrap();
    assert_eq!(module.text, "const TILE = HALF * 2u;\n8\n16\nconst HALF: u32 = 4u;\n");
    for (expression, value) in
        [("7 / 2", 3), ("1 + 2 * 3 - 4", 3), ("(1 + 2) * 3 % 4", 1), ("2 <= 2", 1), ("true + false", 1)]
    {
        assert_eq!(text(&format!("{{{expression}}}\n")), format!("{value}\n"));
    }
}

#[test]
fn a_variant_adds_constants_words_and_files() {
    let main = "//@ variant one SIZE=1u FORMAT=rgba8unorm\n\
                //@ variant two SIZE=2u WIDE=true uses a/more a/more\n\
                #if SIZE > 1\n{SIZE}\n#end\n";
    assert_eq!(
        module(&format!("{main}texture<{{FORMAT}}>\n"), "one", &[]).unwrap().text,
        "const SIZE = 1u;\ntexture<rgba8unorm>\n"
    );
    let two = module(main, "two", &[("a/more", "more\n")]).unwrap();
    assert_eq!(two.text, "const SIZE = 2u;\nconst WIDE = true;\n2\nmore\n");
    assert!(module(main, "", &[]).unwrap_err().contains("no variant \"\""));
    assert!(module(main, "three", &[]).unwrap_err().contains("no variant \"three\""));
}

#[test]
fn used_files_come_once_and_every_line_has_its_origin() {
    let others = [("a/x", "//@ uses a/y\nx\n"), ("a/y", "//@ uses a/x\n#for p in 0..2\ny\n#end\n")];
    let module = module("//@ uses a/x a/y\nmain\n", "", &others).unwrap();
    assert_eq!(module.text, "main\nx\ny\ny\n");
    let origins = [("a/main", 2), ("a/x", 2), ("a/y", 3), ("a/y", 3)];
    assert_eq!(module.origins, origins.map(|(file, line)| (file.to_owned(), line)));
}

#[test]
fn operands_are_stored_as_chosen() {
    let main = "//@ operand\nvar<storage, read> a: array<a_element>;\n\
                //@ operand\nvar<storage, read_write> b: array<b_element>;\n";
    let module = module(main, "", &[]).unwrap();
    assert_eq!(module.operands, ["a", "b"]);
    assert!(
        module.text.ends_with("alias a_element = f32;\nalias b_element = f32;\nfn write_b() {}\n"),
        "{}",
        module.text
    );
}

#[test]
fn enable_comes_first_and_sampling_is_a_constant() {
    let module = module("//@ sampling\nbody\nenable f16;\nenable f16;\n", "", &[]).unwrap();
    assert_eq!(module.text, "enable f16;\nconst DEFORMED = true;\nbody\n");
    assert!(module.sampling);
}

#[test]
fn errors_name_the_file_and_the_line() {
    assert_eq!(error("a\n#for p in 0..2\nb\n"), "shaders/a/main.wgsl:2: there is no #end");
    assert_eq!(error("#end\n"), "shaders/a/main.wgsl:1: \"#end\" is not a directive, or does not belong here");
    assert_eq!(
        error("#for p of 0..2\n#end\n"),
        "shaders/a/main.wgsl:1: expected #for NAME in FIRST..END or #for NAME in FIRST..END step STEP"
    );
    assert_eq!(
        error("a\nb {SIZE}\n"),
        "shaders/a/main.wgsl:2: expected a number or the name of one before \"SIZE\" in \"SIZE\""
    );
    assert!(error("#if 1 / 0\n#end\n").ends_with("expected no overflow and no division by 0 before \"\" in \"1 / 0\""));
    assert!(error("{p\n").ends_with("a brace that is not closed"));
    assert!(error("#for p in 0..4 step 0\n#end\n").ends_with("the step is 0, expected at least 1"));
    assert!(error("//@ uses a/none\n").ends_with("main.wgsl:1: there is no file shaders/a/none.wgsl"));
    assert!(
        error("\n//@ operand\nvar<workgroup> a: u32;\n")
            .ends_with("main.wgsl:2: the next line declares no storage buffer")
    );
}

#[test]
fn a_constant_is_declared_once() {
    let twice = "shaders/a/main.wgsl:4: A is declared already";
    let in_block = "shaders/a/main.wgsl:2: a constant cannot be declared inside a block";
    assert_eq!(error("#if 0\nconst A = 1u;\n#end\n{A}\n"), in_block);
    assert_eq!(error("fn f() {\nconst A = 1u;\n}\nconst A =\n    2u;\n"), twice);
    assert_eq!(error("//@ sampling\nconst DEFORMED = 1;\n"), "shaders/a/main.wgsl:2: DEFORMED is declared already");
    let of_variant = module("//@ variant v A=1\n\n\nconst A = 1;\n", "v", &[]);
    assert_eq!(of_variant.unwrap_err(), twice);
    let in_variant = module("\n//@ variant v A=1 A=2\n", "v", &[]);
    assert_eq!(in_variant.unwrap_err(), "shaders/a/main.wgsl:2: A is declared already");
    let of_call = module("\n//@ variant v DEFORMED=true\n//@ sampling\n", "v", &[]);
    assert_eq!(of_call.unwrap_err(), "shaders/a/main.wgsl:2: DEFORMED is declared already");
    let of_file = module("//@ uses a/x\nconst A = 1u;\n", "", &[("a/x", "\nconst A = 1u;\n")]);
    assert_eq!(of_file.unwrap_err(), "shaders/a/x.wgsl:2: A is declared already");
}

#[test]
fn a_loop_variable_has_a_name_of_its_own() {
    assert_eq!(error("const A = f();\n#for A in 0..1\n#end\n"), "shaders/a/main.wgsl:2: A is declared already");
    assert_eq!(error("#for p in 0..1\n#for p in 0..1\n#end\n#end\n"), "shaders/a/main.wgsl:2: p is declared already");
    assert!(error("#for 8u in 0..1\n#end\n").contains("main.wgsl:1: expected #for NAME"));
    assert_eq!(text("#for p in 0..1\n{p}\n#end\n#for p in 1..2\n{p}\n#end\n"), "0\n1\n");
}

#[test]
fn every_directive_is_known() {
    for line in [
        "//@ use x",
        "//@operand",
        "//@ Sampling",
        "//@ sampling too",
        "//@ variants",
        "//@ variant",
        "#if",
        "#for",
        "#if(1)",
        "#else if 1",
        "#end if",
        "#endif",
    ] {
        let expected = format!("shaders/a/main.wgsl:2: {line:?} is not a directive, or does not belong here");
        assert_eq!(error(&format!("#if 0\n  {line}\n#end\n")), expected);
    }
    let used = module("//@ uses a/x\n", "", &[("a/x", "\n//@ use a/y\n")]).unwrap_err();
    assert!(used.starts_with("shaders/a/x.wgsl:2: "), "{used}");
}

#[test]
fn an_else_belongs_to_one_if() {
    let misplaced = "shaders/a/main.wgsl:4: \"#else\" is not a directive, or does not belong here";
    assert_eq!(error("\n#for p in 0..2\na\n#else\nb\n#end\n"), misplaced);
    assert_eq!(error("#if 1\na\n#else\n#else\n#end\n"), misplaced);
    assert_eq!(error("#if 0\n#for p in 0..1\n#end\n#else\n#else\n#end\n"), misplaced.replace(":4", ":5"));
    assert_eq!(error("#if 1\n#end\n\n#else\n"), misplaced);
    let nested = |outer, inner| {
        text(&format!("#if {outer}\n#if {inner}\na\n#else\nb\n#end\n#else\n#if {inner}\nc\n#else\nd\n#end\n#end\ne\n"))
    };
    assert_eq!([nested(1, 1), nested(1, 0), nested(0, 1), nested(0, 0)], ["a\ne\n", "b\ne\n", "c\ne\n", "d\ne\n"]);
}

#[test]
fn each_enable_comes_once() {
    let module =
        module("enable subgroups;\n//@ uses a/x\n", "", &[("a/x", "enable f16;\nenable subgroups;\n")]).unwrap();
    assert_eq!(module.text, "enable f16;\nenable subgroups;\n");
    assert_eq!(module.origins, [("a/x".to_owned(), 1), ("a/main".to_owned(), 1)]);
}

#[test]
fn a_variant_has_numbers_words_and_files() {
    for word in ["use", "TILE", "=8u", "TILE=", "TILE=-8", "TILE=+8", "TILE=8x", "TILE=1+1", "8=8", "T.X=8", "A=b.c"] {
        let expected = format!("main.wgsl:2: expected NAME=NUMBER, NAME=WORD or uses instead of {word:?}");
        let found = module(&format!("\n//@ variant v OK=1 {word} uses a/x\n"), "v", &[]).unwrap_err();
        assert!(found.ends_with(&expected), "{found}");
    }
    let twice = module("//@ variant v A=1\n//@ variant w\n//@ variant v A=2\n", "v", &[]).unwrap_err();
    assert_eq!(twice, "shaders/a/main.wgsl:3: there is a variant \"v\" already");
    let used = module("\n//@ variant v uses a/x\n", "v", &[]).unwrap_err();
    assert_eq!(used, "shaders/a/main.wgsl:2: there is no file shaders/a/x.wgsl");
    assert!(variants("//@ variant v A=1\n// variant u\n//@ variant w\n").eq(["v", "w"]));
}

#[test]
fn constants_in_a_circle_are_not_numbers() {
    for circle in ["const A = A;\n", "const A = 1 + B;\nconst B = 2 * C;\nconst C = A;\n"] {
        let line = circle.lines().count() + 1;
        assert_eq!(
            error(&format!("{circle}{{A + 1}}\n")),
            format!("shaders/a/main.wgsl:{line}: expected a number or the name of one before \"A + 1\" in \"A + 1\"")
        );
    }
    assert_eq!(module("//@ variant v A=A\n{A}\n", "v", &[]).unwrap().text, "A\n");
}

#[test]
fn only_a_number_or_a_name_replaces_braces() {
    assert_eq!(text("const A = b;\n{A}\n"), "const A = b;\nb\n");
    let expected = "shaders/a/main.wgsl:2: expected a number or the name of one before \"A\" in \"A\"";
    assert_eq!(
        error("const A = b + 1;\n{2 * A}\n"),
        expected.replace("before \"A\" in \"A\"", "before \"A\" in \"2 * A\"")
    );
    assert_eq!(error("const A = b + 1;\n{A}\n"), expected);
}

#[test]
fn overflow_is_an_error() {
    const MAX: i64 = i64::MAX;
    for expression in [
        format!("{MAX} + 1"),
        format!("0 - {MAX} - 2"),
        format!("{MAX} * 2"),
        format!("(0 - {MAX} - 1) / (0 - 1)"),
        format!("(0 - {MAX} - 1) % (0 - 1)"),
        "1 % 0".to_owned(),
    ] {
        let expected = format!("main.wgsl:1: expected no overflow and no division by 0 before \"\" in {expression:?}");
        let found = error(&format!("{{{expression}}}\n"));
        assert!(found.ends_with(&expected), "{found}");
    }
    assert_eq!(text(&format!("#for p in {MAX} - 1..{MAX} step 2\na\n#end\n")), "a\n");
}
