//! What the files of each operator hold.

use std::fmt;

use anyhow::{Result, bail, ensure};
use deform::{DeformConv2d, Options};

use crate::{Call, CaseFile};

/// An operator whose calls case files hold. It lists the names in its files once, for the reader, its errors and the
/// tool's help.
pub struct Operator {
    /// The name, for example `deform_conv2d`.
    pub name: &'static str,
    /// A line about it.
    pub about: &'static str,
    /// Whether it has [`Options::algorithm`] and [`Options::workspace_limit`].
    pub has_algorithms: bool,
    pub(crate) tensors: &'static [Name],
    pub(crate) metadata: &'static [Name],
    pub(crate) call: fn(&DeformConv2d, &CaseFile, Options, bool) -> Result<Call>,
}

/// The name of an operand or of a metadata entry.
pub(crate) struct Name {
    name: &'static str,
    required: bool,
    /// Returns the words that a metadata entry may be. There are none if it is a number or two.
    words: fn() -> String,
}

pub(crate) const fn required(name: &'static str) -> Name {
    Name { name, required: true, words: String::new }
}

pub(crate) const fn optional(name: &'static str) -> Name {
    Name { name, required: false, words: String::new }
}

impl Name {
    pub(crate) const fn with_words(self, words: fn() -> String) -> Self {
        Self { words, ..self }
    }
}

/// The tensor that a backward pass needs.
pub(crate) const GRAD_OUTPUT: &str = "grad_output";
/// The tensor of the points from which the web page makes offsets. No operator reads it.
const POINTS: &str = "points";
/// The metadata entries in which writers of files say something about them. No operator reads them.
const REMARKS: [&str; 3] = ["note", "source", "format"];
/// The prefix of an answer in higher precision, and those of the answers of implementations that differ, which are not
/// compared.
const PREFIXES: [&str; 3] = ["exact.", "mmcv.", "cuda."];

impl Operator {
    /// Checks the names in a file. Unknown ones would have no effect, and required ones must be there.
    pub(crate) fn check(&self, file: &CaseFile) -> Result<()> {
        let operands: Vec<_> = self.tensors.iter().map(|operand| operand.name).collect();
        let names = file.names()?;
        let gradients = names.iter().map(|name| Ok((name, self.gradient_of(name, &operands)?)));
        let gradients: Vec<_> = gradients.collect::<Result<_>>()?;
        if let Some(operand) = self.tensors.iter().find(|operand| operand.required && !file.has(operand.name)) {
            bail!("operand {} is missing; the file has {}", operand.name, names.join(", "));
        }
        if let Some((name, Some(of))) = gradients.into_iter().find(|(_, of)| of.is_some_and(|of| !file.has(of))) {
            bail!("tensor {name} is the gradient of {of}, and the file has no {of}");
        }
        let entries: Vec<_> = self.metadata.iter().map(|entry| entry.name).chain(REMARKS).collect();
        let mut keys: Vec<_> = file.metadata.keys().map(String::as_str).collect();
        keys.sort_unstable();
        let unknown = keys.into_iter().find(|key| !entries.contains(key));
        if let Some(key) = unknown {
            bail!("metadata {key} is unknown; a case of {} can have {}", self.name, entries.join(", "));
        }
        let missing = self.metadata.iter().find(|entry| entry.required && !file.metadata.contains_key(entry.name));
        missing.map_or(Ok(()), |entry| bail!("metadata {} is missing{}", entry.name, one_of(&(entry.words)())))
    }

    /// Returns the operand whose gradient the tensor `name` is, if it is one.
    fn gradient_of<'a>(&self, name: &'a str, operands: &[&str]) -> Result<Option<&'a str>> {
        let answer = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        let of = answer.strip_prefix("grad_").filter(|of| operands.contains(of));
        let known =
            of.is_some() || answer == "output" || operands.contains(&name) || [GRAD_OUTPUT, POINTS].contains(&name);
        ensure!(
            known,
            "tensor {name} is unknown; a case of {} can have the operands {}, a gradient such as grad_{} of each, \
             output, {GRAD_OUTPUT}, and exact. before the name of an answer in higher precision",
            self.name,
            operands.join(", "),
            operands[0]
        );
        Ok(of)
    }

    /// Reports whether a file has all the names that this operator requires.
    pub(crate) fn suits(&self, file: &CaseFile) -> bool {
        self.tensors.iter().all(|operand| !operand.required || file.has(operand.name))
            && self.metadata.iter().all(|entry| !entry.required || file.metadata.contains_key(entry.name))
    }
}

/// Returns the part of an error that names the words that an entry may be.
pub(crate) fn one_of(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(", expected one of {words}") }
}

/// Prints the names in the operator's files, as a line of the tool's help.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[Name]| {
            let name = |Name { name, required, words }: &Name| {
                let words = words();
                let words = if words.is_empty() { words } else { format!(" ({words})") };
                if *required { format!("{name}{words}") } else { format!("[{name}]{words}") }
            };
            names.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        write!(f, "{}: tensors {}; metadata {}.", self.name, list(self.tensors), list(self.metadata))
    }
}
