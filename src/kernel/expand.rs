//! Turns a shader file into the WGSL module that a driver compiles.
//!
//! A shader file is WGSL with a few directives, each on a line of its own:
//!
//! | directive | what it does |
//! |---|---|
//! | `//@ uses shared/grid shared/taps` | The module contains these files too, each of them once. |
//! | `//@ variant wide TILE=128u uses shared/x` | The file is one kernel for each variant. A variant adds constants and files. |
//! | `//@ sampling` | The module has a constant `DEFORMED`, which says whether the call has an offset. |
//! | `//@ operand` | The binding on the next line is an operand of the caller, who decides how its elements are stored. |
//! | `#for p in 0..4`, `#for p in 0..8 step 2`, `#end` | The lines between are written once for each value of `p`. |
//! | `#if p > 0`, `#else`, `#end` | The lines between are written if the expression is not 0. |
//! | `{p + 1}` | In code, an expression in braces is replaced by its value. A brace before a space, a line's end or `}` is WGSL's own. |
//!
//! Expressions (expression.rs) may use the variables of the loops around them, the variant's constants, and each
//! `const` of the module whose value is itself such an expression. A constant that is a word, such as a texture format,
//! can only stand in braces.
//!
//! An operand called `input` gets the type `input_element` and the functions `read_input` and `write_input` from
//! `shared/stored_….wgsl` of its storage. In that file `{name}` is the binding's name, and `written` is 1 if the kernel
//! writes the binding.
//!
//! This file, sources.rs and expression.rs need nothing but `std`. xtask includes them by their paths, so that it can
//! expand shaders while the library does not compile.

use std::collections::HashMap;

use super::expression::{Value, evaluate};
use super::sources::{Choice, File, Place, Result, Sources};

/// A module, and the origin of each of its lines.
#[derive(Debug, Default)]
pub struct Expanded {
    /// The WGSL.
    pub text: String,
    /// The file and the line, counted from 1, that each line of the text was written from.
    pub origins: Vec<(String, usize)>,
    /// The names of the bindings that are the caller's operands.
    pub operands: Vec<String>,
    /// Whether the module has the constant `DEFORMED`.
    pub sampling: bool,
}

/// Writes the module that `choice` names. `find` returns the text of a file.
///
/// # Errors
/// Returns the first malformed directive.
pub(crate) fn expand<'a>(choice: Choice<'a>, find: &dyn Fn(&str) -> Option<&'a str>) -> Result<Expanded> {
    let Sources { files, variant, operands, sampling } = Sources::gather(choice, find)?;
    let deformed = sampling.then_some(("DEFORMED", if choice.deformed { "true" } else { "false" }));
    let chosen: Vec<_> = variant.constants().chain(deformed).collect();
    let mut writer = Writer { constants: Constants::new(&chosen, &files), scope: Vec::new(), lines: Vec::new() };
    for (name, value) in chosen {
        if let Some(Value::Number(_)) = writer.value(name) {
            writer.lines.push((Place { file: choice.file, line: 1 }, format!("const {name} = {value};")));
        }
    }
    files.iter().try_for_each(|file| writer.block(&file.lines()))?;
    for operand in &operands {
        writer.scope = vec![("name", Value::Word(operand.name)), ("written", Value::Number(operand.written.into()))];
        writer.block(&operand.storage.lines())?;
    }
    let operands = operands.iter().map(|operand| operand.name.to_owned()).collect();
    Ok(Expanded { operands, sampling, ..writer.finish() })
}

/// The text of each constant's value.
struct Constants<'a>(HashMap<&'a str, &'a str>);

impl<'a> Constants<'a> {
    fn new(chosen: &[(&'a str, &'a str)], files: &[File<'a>]) -> Self {
        let declared = files.iter().flat_map(|file| file.text.lines()).filter_map(|line| {
            let (name, value) = line.strip_prefix("const ")?.split_once('=')?;
            Some((name.split(':').next()?.trim(), value.split_once(';')?.0.trim()))
        });
        Self(declared.chain(chosen.iter().copied()).collect())
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        let text = *self.0.get(name)?;
        Some(match evaluate(text, &|name| self.value(name)) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Word(text),
        })
    }
}

/// Writes lines and carries out the directives among them.
struct Writer<'a> {
    constants: Constants<'a>,
    scope: Vec<(&'a str, Value<'a>)>,
    lines: Vec<(Place<'a>, String)>,
}

impl<'a> Writer<'a> {
    fn block(&mut self, lines: &[(Place<'a>, &'a str)]) -> Result<()> {
        let mut at = 0;
        while let Some(&(place, line)) = lines.get(at) {
            at += 1;
            let code = line.trim();
            if let Some(head) = code.strip_prefix("#for ") {
                let block = Block::find(place, &lines[at..])?;
                self.repeat(place, head, block.lines)?;
                at += block.length;
            } else if let Some(condition) = code.strip_prefix("#if ") {
                let block = Block::find(place, &lines[at..])?;
                self.block(if self.number(place, condition)? != 0 { block.lines } else { block.otherwise })?;
                at += block.length;
            } else if code.starts_with('#') {
                return place.error(format!("{code:?} is not a directive, or closes a block that was never opened"));
            } else if !code.starts_with("//@") {
                let line = self.interpolated(place, line)?;
                self.lines.push((place, line));
            }
        }
        Ok(())
    }

    fn repeat(&mut self, place: Place<'a>, head: &'a str, lines: &[(Place<'a>, &'a str)]) -> Result<()> {
        let parts = head.split_once(" in ").and_then(|(name, range)| Some((name, range.split_once("..")?)));
        let Some((name, (first, end))) = parts else {
            return place.error("expected #for NAME in FIRST..END or #for NAME in FIRST..END step STEP");
        };
        let (end, step) = end.split_once(" step ").unwrap_or((end, "1"));
        let [first, end, step] = [self.number(place, first)?, self.number(place, end)?, self.number(place, step)?];
        if step < 1 {
            return place.error(format!("the step is {step}, expected at least 1"));
        }
        let mut value = first;
        while value < end {
            self.scope.push((name, Value::Number(value)));
            self.block(lines)?;
            self.scope.pop();
            value += step;
        }
        Ok(())
    }

    fn number(&self, place: Place<'_>, expression: &str) -> Result<i64> {
        evaluate(expression, &|name| self.value(name)).or_else(|reason| place.error(reason))
    }

    fn value(&self, name: &str) -> Option<Value<'a>> {
        let local = self.scope.iter().rev().find(|(known, _)| *known == name);
        local.map_or_else(|| self.constants.value(name), |(_, value)| Some(*value))
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
            match self.value(expression) {
                Some(Value::Word(word)) => written.push_str(word),
                _ => written.push_str(&self.number(place, expression)?.to_string()),
            }
            rest = after;
        }
        Ok(written + rest + &line[code..])
    }

    fn finish(self) -> Expanded {
        // WGSL requires `enable` before everything else.
        let (enables, others): (Vec<_>, Vec<_>) =
            self.lines.into_iter().partition(|(_, line)| line.starts_with("enable "));
        let mut expanded = Expanded::default();
        for (place, line) in enables.iter().take(1).chain(&others) {
            expanded.text.push_str(line);
            expanded.text.push('\n');
            expanded.origins.push((place.file.to_owned(), place.line));
        }
        expanded
    }
}

/// The body of a `#for` or `#if`, the body of its `#else`, and the number of lines up to and including its `#end`.
struct Block<'b, 'a> {
    lines: &'b [(Place<'a>, &'a str)],
    otherwise: &'b [(Place<'a>, &'a str)],
    length: usize,
}

impl<'b, 'a> Block<'b, 'a> {
    fn find(place: Place<'a>, lines: &'b [(Place<'a>, &'a str)]) -> Result<Self> {
        let mut depth = 0;
        let mut separator = None;
        for (n, (_, line)) in lines.iter().enumerate() {
            match line.split_whitespace().next() {
                Some("#for" | "#if") => depth += 1,
                Some("#else") if depth == 0 => separator = Some(n),
                Some("#end") if depth > 0 => depth -= 1,
                Some("#end") => {
                    let separator = separator.unwrap_or(n);
                    let otherwise = &lines[(separator + 1).min(n)..n];
                    return Ok(Self { lines: &lines[..separator], otherwise, length: n + 1 });
                }
                _ => {}
            }
        }
        place.error("there is no #end")
    }
}
