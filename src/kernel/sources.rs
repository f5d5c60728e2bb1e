//! The files that a module consists of, found by following the directives in them.

use std::fmt;

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
pub struct ExpandError {
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

/// A line of a file, for error messages.
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

/// A shader file.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl<'a> File<'a> {
    pub(super) fn lines(self) -> Vec<(Place<'a>, &'a str)> {
        let place = |n| Place { file: self.path, line: n + 1 };
        self.text.lines().enumerate().map(|(n, line)| (place(n), line)).collect()
    }

    fn variant(self, name: &str) -> Result<Variant<'a>> {
        let mut variants = self.lines().into_iter().filter_map(|(_, line)| directive(line, "variant")).peekable();
        if name.is_empty() && variants.peek().is_none() {
            return Ok(Variant(""));
        }
        match variants.find(|variant| variant.split_whitespace().next() == Some(name)) {
            Some(variant) => Ok(Variant(variant)),
            None => Place { file: self.path, line: 1 }.error(format!("there is no variant {name:?}")),
        }
    }
}

/// The rest of a `//@ variant` line: the name, constants, and files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variant<'a>(&'a str);

impl<'a> Variant<'a> {
    pub(super) fn constants(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.split_whitespace().filter_map(|word| word.split_once('='))
    }

    fn uses(self) -> impl Iterator<Item = &'a str> {
        self.0.split_whitespace().skip_while(|word| *word != "uses").skip(1)
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
            Some(text) => Ok(File { path, text }),
            None => place.error(format!("there is no file shaders/{path}.wgsl")),
        };
        let head = Place { file: choice.file, line: 1 };
        let main = file(choice.file, head)?;
        let variant = main.variant(choice.variant)?;
        let mut sources = Self { files: vec![main], variant, operands: Vec::new(), sampling: false };
        let mut used: Vec<_> = variant.uses().map(|path| (head, path)).collect();
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
