//! Turns a shader file into the WGSL module that a driver compiles.
//!
//! A shader file is WGSL with a few directives, each on a line of its own:
//!
//! | directive | what it does |
//! |---|---|
//! | `//@ uses shared/grid shared/taps` | The module contains these files too, each of them once. |
//! | `//@ variant w TILE=8u uses shared/x` | The file is one kernel per variant. A variant adds constants and files. |
//! | `//@ constant TILE Columns of a tile.` | The meaning of a constant that the variants define, for its documentation. |
//! | `//@ sampling` | The module has a constant `DEFORMED`, which says whether the call has an offset. |
//! | `//@ operand` | The binding on the next line is an operand of the caller, who decides how it is stored. |
//! | `#for p in 0..4`, `#for p in 0..8 step 2`, `#end` | The lines between are written once for each value of `p`. |
//! | `#if p > 0`, `#else`, `#end` | The lines between are written if the expression is not 0. |
//! | `{p + 1}` | An expression in braces is replaced by its value. |
//!
//! No other line may start with `//@` or `#`. A brace in a comment or before a space, a line's end or `}` is WGSL's.
//!
//! Expressions (expression.rs) may use the variables of the loops around them, the variant's constants, and each
//! `const` at a line's start whose value is itself such an expression. A constant that is a word, such as a texture
//! format, can only stand in braces. Each of these names has one meaning: it is an error to declare a constant twice or
//! inside a block, or to give a loop's variable the name of a constant or of an outer variable.
//!
//! An operand called `input` gets the type `input_element` and the functions `read_input` and `write_input` from
//! `shared/stored_….wgsl` of its storage. In that file `{name}` is the binding's name, and `written` is 1 if the kernel
//! writes the binding.
//!
//! This file, sources.rs and expression.rs need nothing but `std`. xtask includes them by their paths, so that it can
//! expand shaders while the library does not compile.

use std::collections::HashMap;

use super::expression::{self, Value, evaluate, is_name};
use super::sources::{Choice, Line, Place, Result, Sources};

/// A module, and the origin of each of its lines.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    /// The WGSL.
    pub(crate) text: String,
    /// The file and the line, counted from 1, that each line of the text was written from.
    pub(crate) origins: Vec<(String, usize)>,
    /// The names of the bindings that are the caller's operands.
    #[allow(dead_code, reason = "xtask reads it")]
    pub(crate) operands: Vec<String>,
    /// Whether the module has the constant `DEFORMED`.
    #[allow(dead_code, reason = "xtask reads it")]
    pub(crate) sampling: bool,
}

/// Writes the module that `choice` names. `find` returns the text of a file.
///
/// # Errors
/// Returns the first malformed directive.
pub(crate) fn expand<'a>(choice: Choice<'a>, find: &dyn Fn(&str) -> Option<&'a str>) -> Result<Expanded> {
    let Sources { files, variant, operands, sampling } = Sources::gather(choice, find)?;
    let mut chosen = variant.constants;
    chosen.extend(sampling.then_some(("DEFORMED", if choice.deformed { "true" } else { "false" })));
    let mut writer = Writer::default();
    for (name, value) in &chosen {
        writer.declare(variant.place, name, Value::Word(value))?;
    }
    for (place, line) in files.iter().flat_map(|file| file.lines()) {
        if let Some((name, value)) = constant(line) {
            writer.declare(place, name, Value::Word(value))?;
        }
    }
    writer.evaluate_constants();
    for (name, value) in chosen {
        if let Some(Value::Number(_)) = writer.scope.get(name) {
            writer.lines.push((Place { file: choice.file, line: 1 }, format!("const {name} = {value};")));
        }
    }
    files.iter().try_for_each(|file| writer.block(&file.lines()))?;
    for operand in &operands {
        let written = Value::Number(operand.written.into());
        writer.scope.extend([("name", Value::Word(operand.name)), ("written", written)]);
        writer.block(&operand.storage.lines())?;
    }
    let operands = operands.iter().map(|operand| operand.name.to_owned()).collect();
    Ok(Expanded { operands, sampling, ..writer.finish() })
}

/// Returns the name and the value of the constant that a line declares.
fn constant(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("const ")?.split_once('=')?;
    // A value that continues on the next line is not an expression.
    Some((name.split(':').next()?.trim(), value.split_once(';').map_or("", |(value, _)| value.trim())))
}

/// Writes lines and carries out the directives among them.
#[derive(Default)]
struct Writer<'a> {
    /// The names that an expression may use now.
    scope: HashMap<&'a str, Value<'a>>,
    lines: Vec<(Place<'a>, String)>,
}

impl<'a> Writer<'a> {
    fn declare(&mut self, place: Place<'_>, name: &'a str, value: Value<'a>) -> Result<()> {
        match self.scope.insert(name, value) {
            None => Ok(()),
            Some(_) => place.error(format!("{name} is declared already")),
        }
    }

    /// Gives each constant whose text is an expression its number. A constant may use those after it, so this repeats
    /// until it finds no more numbers. Constants that use each other in a circle never become numbers.
    fn evaluate_constants(&mut self) {
        loop {
            let number = |(name, value): (&&'a str, &Value<'a>)| match value {
                Value::Word(text) => Some((*name, Value::Number(self.evaluate(text).ok()?))),
                Value::Number(_) => None,
            };
            let numbers: Vec<_> = self.scope.iter().filter_map(number).collect();
            if numbers.is_empty() {
                return;
            }
            self.scope.extend(numbers);
        }
    }

    fn block(&mut self, mut lines: &[Line<'a>]) -> Result<()> {
        while let Some((&(place, line), after)) = lines.split_first() {
            lines = after;
            let code = line.trim();
            if let Some(head) = code.strip_prefix("#for ") {
                let (body, after) = divided(lines);
                self.repeat(place, head, body)?;
                lines = after;
            } else if let Some(condition) = code.strip_prefix("#if ") {
                if self.number(place, condition)? == 0 {
                    lines = divided(lines).1;
                }
            } else if code == "#else" {
                // The lines before it were written: otherwise the `#if` would have skipped this line too.
                lines = divided(lines).1;
            } else if code != "#end" && !code.starts_with("//@") {
                let line = self.interpolated(place, line)?;
                self.lines.push((place, line));
            }
        }
        Ok(())
    }

    fn repeat(&mut self, place: Place<'a>, head: &'a str, lines: &[Line<'a>]) -> Result<()> {
        let parts = head.split_once(" in ").and_then(|(name, range)| Some((name, range.split_once("..")?)));
        let Some((name, (first, end))) = parts.filter(|(name, _)| is_name(name)) else {
            return place.error("expected #for NAME in FIRST..END or #for NAME in FIRST..END step STEP");
        };
        let (end, step) = end.split_once(" step ").unwrap_or((end, "1"));
        let [first, end, step] = [self.number(place, first)?, self.number(place, end)?, self.number(place, step)?];
        if step < 1 {
            return place.error(format!("the step is {step}, expected at least 1"));
        }
        let mut value = first;
        while value < end {
            self.declare(place, name, Value::Number(value))?;
            self.block(lines)?;
            self.scope.remove(name);
            value = value.saturating_add(step);
        }
        Ok(())
    }

    fn number(&self, place: Place<'_>, expression: &str) -> Result<i64> {
        self.evaluate(expression).or_else(|reason| place.error(reason))
    }

    fn evaluate(&self, expression: &str) -> expression::Result<i64> {
        evaluate(expression, &|name| self.scope.get(name).copied())
    }

    fn interpolated(&self, place: Place<'_>, line: &str) -> Result<String> {
        let code = line.find("//").unwrap_or(line.len());
        let (mut written, mut rest) = (String::new(), &line[..code]);
        while let Some((before, after)) = rest.split_once('{') {
            written.push_str(before);
            rest = after;
            if after.is_empty() || after.starts_with([' ', '}']) {
                written.push('{');
                continue;
            }
            let Some((expression, after)) = after.split_once('}') else {
                return place.error("a brace that is not closed");
            };
            match self.scope.get(expression) {
                Some(Value::Word(word)) if is_name(word) => written.push_str(word),
                _ => written.push_str(&self.number(place, expression)?.to_string()),
            }
            rest = after;
        }
        Ok(written + rest + &line[code..])
    }

    fn finish(self) -> Expanded {
        // WGSL requires `enable` before everything else.
        let (mut enables, others): (Vec<_>, Vec<_>) =
            self.lines.into_iter().partition(|(_, line)| line.starts_with("enable "));
        enables.sort_by(|(_, a), (_, b)| a.cmp(b));
        enables.dedup_by(|(_, a), (_, b)| a == b);
        let mut expanded = Expanded::default();
        for (place, line) in enables.iter().chain(&others) {
            expanded.text.push_str(line);
            expanded.text.push('\n');
            expanded.origins.push((place.file.to_owned(), place.line));
        }
        expanded
    }
}

/// Divides the lines after the head of a block at its `#else` or `#end`, which is in neither part.
fn divided<'b, 'a>(lines: &'b [Line<'a>]) -> (&'b [Line<'a>], &'b [Line<'a>]) {
    let mut depth = 0;
    let mut parts = lines.splitn(2, |(_, line)| match line.split_whitespace().next() {
        Some("#for" | "#if") => {
            depth += 1;
            false
        }
        Some("#else") => depth == 0,
        Some("#end") => {
            depth -= 1;
            depth < 0
        }
        _ => false,
    });
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}
