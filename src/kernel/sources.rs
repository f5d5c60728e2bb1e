//! The files that a module consists of, found by following the directives in them.

use std::fmt;

use super::expression::{is_name, number};

/// Which module of a file to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<'a> {
    /// The file: its path below `shaders/`, without the ending.
    pub(crate) file: &'a str,
    /// The variant; empty for a file that has none.
    pub(crate) variant: &'a str,
    /// Whether the call has an offset.
    pub(crate) deformed: bool,
    /// The file that defines the storage of the operands that the kernel reads.
    pub(crate) operands: &'a str,
    /// The file that defines the storage of the operands that the kernel writes.
    pub(crate) output: &'a str,
}

/// A malformed directive, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpandError {
    file: String,
    line: usize,
    reason: String,
}

impl fmt::Display for ExpandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shaders/{}.wgsl:{}: {}", self.file, self.line, self.reason)
    }
}

pub(super) type Result<T> = std::result::Result<T, ExpandError>;

/// Returns the rest of the line if it is the directive `name`.
fn directive<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.trim().strip_prefix("//@ ")?.strip_prefix(name)?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim())
}

/// Returns the names of a file's variants.
pub(crate) fn variants(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| directive(line, "variant")?.split_whitespace().next())
}

/// The place of a line, for error messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: usize,
}

impl Place<'_> {
    pub(super) fn error<T>(self, reason: impl Into<String>) -> Result<T> {
        Err(ExpandError { file: self.file.to_owned(), line: self.line, reason: reason.into() })
    }
}

/// A line of a file, and its place.
pub(super) type Line<'a> = (Place<'a>, &'a str);

/// A shader file.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl<'a> File<'a> {
    pub(super) fn lines(self) -> Vec<Line<'a>> {
        let place = |n| Place { file: self.path, line: n + 1 };
        self.text.lines().enumerate().map(|(n, line)| (place(n), line)).collect()
    }

    /// Returns the file if each of its directives is known and stands in its place. The expander relies on this, and
    /// would pass over a misspelt directive.
    fn checked(self) -> Result<Self> {
        let mut blocks = Vec::new();
        for (place, line) in self.lines() {
            let code = line.trim();
            match (code.split_once(' ').unwrap_or((code, "")), blocks.last_mut()) {
                ((name @ ("#for" | "#if"), head), _) if !head.is_empty() => blocks.push((place, name)),
                (("#else", ""), Some((_, name))) if *name == "#if" => *name = "#else",
                (("#end", ""), Some(_)) => {
                    blocks.pop();
                }
                (("//@", "sampling" | "operand"), _) => {}
                // The expander gives a constant its value before it knows which blocks are written.
                (("const", _), Some(_)) if line.starts_with("const ") => {
                    return place.error("a constant cannot be declared inside a block");
                }
                (("//@", text), _) if ["uses ", "variant ", "constant "].iter().any(|name| text.starts_with(name)) => {}
                _ if code.starts_with('#') || code.starts_with("//@") => {
                    return place.error(format!("{code:?} is not a directive, or does not belong here"));
                }
                _ => {}
            }
        }
        blocks.pop().map_or(Ok(self), |(place, _)| place.error("there is no #end"))
    }

    fn variant(self, name: &str) -> Result<Variant<'a>> {
        let head = Place { file: self.path, line: 1 };
        if name.is_empty() && variants(self.text).next().is_none() {
            return Ok(Variant { place: head, constants: Vec::new(), uses: Vec::new() });
        }
        let mut lines = self.lines().into_iter().filter(|(_, line)| variants(line).next() == Some(name));
        match (lines.next(), lines.next()) {
            (None, _) => head.error(format!("there is no variant {name:?}")),
            (Some((place, line)), None) => Variant::read(place, line),
            (_, Some((place, _))) => place.error(format!("there is a variant {name:?} already")),
        }
    }
}

/// The constants and the files that a variant adds.
pub(super) struct Variant<'a> {
    pub(super) place: Place<'a>,
    /// The name and the value of each.
    pub(super) constants: Vec<(&'a str, &'a str)>,
    uses: Vec<&'a str>,
}

impl<'a> Variant<'a> {
    fn read(place: Place<'a>, line: &'a str) -> Result<Self> {
        // The first three words are `//@ variant NAME`.
        let mut words = line.split_whitespace().skip(3);
        let mut constants = Vec::new();
        for word in words.by_ref().take_while(|word| *word != "uses") {
            match word.split_once('=') {
                Some((name, value)) if is_name(name) && (is_name(value) || number(value).is_some()) => {
                    constants.push((name, value));
                }
                _ => return place.error(format!("expected NAME=NUMBER, NAME=WORD or uses instead of {word:?}")),
            }
        }
        Ok(Self { place, constants, uses: words.collect() })
    }
}

/// A binding that is an operand of the caller.
pub(super) struct Operand<'a> {
    pub(super) name: &'a str,
    /// Whether the kernel writes it.
    pub(super) written: bool,
    /// The file that defines how it is stored.
    pub(super) storage: File<'a>,
}

/// The files and operands that a module consists of.
pub(super) struct Sources<'a> {
    pub(super) files: Vec<File<'a>>,
    pub(super) variant: Variant<'a>,
    pub(super) operands: Vec<Operand<'a>>,
    /// Whether one of the files has the directive `//@ sampling`.
    pub(super) sampling: bool,
}

impl<'a> Sources<'a> {
    /// Gathers the file that `choice` names, the files that it and its variant use, and the files that these use in
    /// turn. `find` returns the text of a file.
    pub(super) fn gather(choice: Choice<'a>, find: &dyn Fn(&str) -> Option<&'a str>) -> Result<Self> {
        let file = |path: &'a str, place: Place<'_>| match find(path) {
            Some(text) => File { path, text }.checked(),
            None => place.error(format!("there is no file shaders/{path}.wgsl")),
        };
        let main = file(choice.file, Place { file: choice.file, line: 1 })?;
        let variant = main.variant(choice.variant)?;
        let mut used: Vec<_> = variant.uses.iter().map(|path| (variant.place, *path)).collect();
        let mut sources = Self { files: vec![main], variant, operands: Vec::new(), sampling: false };
        let mut read = 0;
        while let Some(&next) = sources.files.get(read) {
            read += 1;
            let lines = next.lines();
            for (n, &(place, line)) in lines.iter().enumerate() {
                used.extend(uses(line).map(|path| (place, path)));
                sources.sampling |= directive(line, "sampling").is_some();
                if directive(line, "operand").is_none() {
                    continue;
                }
                let Some((name, written)) = lines.get(n + 1).and_then(|(_, line)| storage_buffer(line)) else {
                    return place.error("the next line declares no storage buffer");
                };
                let storage = file(if written { choice.output } else { choice.operands }, place)?;
                used.extend(storage.lines().into_iter().flat_map(|(at, line)| uses(line).map(move |path| (at, path))));
                sources.operands.push(Operand { name, written, storage });
            }
            for (place, path) in used.drain(..) {
                if sources.files.iter().all(|known| known.path != path) {
                    sources.files.push(file(path, place)?);
                }
            }
        }
        Ok(sources)
    }
}

/// Returns the files that a `//@ uses` line names.
fn uses(line: &str) -> impl Iterator<Item = &str> {
    directive(line, "uses").unwrap_or_default().split_whitespace()
}

/// Returns the name of the storage buffer that a line declares, and whether the kernel may write it.
fn storage_buffer(line: &str) -> Option<(&str, bool)> {
    let (access, rest) = line.split_once("var<storage, ")?.1.split_once('>')?;
    Some((rest.split_once(':')?.0.trim(), access == "read_write"))
}
