//! The metadata of a case.

use anyhow::{Context, Result, bail, ensure};
use deform::Options;
use deform::ops::conv2d::Activation;

use crate::CaseFile;
use crate::operator::one_of;

pub(crate) const ACTIVATIONS: &[(&str, Activation)] = &[
    ("identity", Activation::Identity),
    ("relu", Activation::Relu),
    ("sigmoid", Activation::Sigmoid),
    ("twice_sigmoid", Activation::TwiceSigmoid),
];

impl CaseFile {
    /// Returns the value that `choices` has for the word in a metadata entry, or `None` if the entry is absent.
    ///
    /// # Errors
    /// Returns an error if the entry is another word.
    pub(crate) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.metadata.get(key) else { return Ok(None) };
        match choices.iter().find(|(word, _)| *word == text.trim()) {
            Some((_, value)) => Ok(Some(*value)),
            None => bail!("metadata {key}: got {text:?}{}", one_of(&words(choices))),
        }
    }

    /// Returns the activation behind an ordinary convolution.
    ///
    /// # Errors
    /// Returns an error if the metadata entry is no known activation.
    pub fn activation(&self) -> Result<Activation> {
        Ok(self.choice("activation", ACTIVATIONS)?.unwrap_or_default())
    }

    /// Returns the number in a metadata entry, or `default` if the entry is absent.
    ///
    /// # Errors
    /// Returns an error if the entry is not a number, or is 0.
    pub fn number(&self, key: &str, default: usize) -> Result<usize> {
        let Some(text) = self.metadata.get(key) else { return Ok(default) };
        let number = text.trim().parse().ok().filter(|number| *number > 0);
        number.with_context(|| format!("metadata {key}: got {text:?}, expected a whole number from 1"))
    }

    /// Returns the two numbers of a metadata entry "h,w", or `default` if the entry is absent. A single number stands
    /// for both.
    ///
    /// # Errors
    /// Returns an error if the entry is neither one number nor two.
    pub fn pair(&self, key: &str, default: [usize; 2]) -> Result<[usize; 2]> {
        let Some(text) = self.metadata.get(key) else { return Ok(default) };
        let parse = |text: &str| text.trim().parse::<usize>().ok();
        let pair = match text.split_once(',') {
            Some((h, w)) => parse(h).zip(parse(w)),
            None => parse(text).map(|both| (both, both)),
        };
        let expected = "expected two whole numbers \"h,w\", or one for both";
        let (h, w) = pair.with_context(|| format!("metadata {key}: got {text:?}, {expected}"))?;
        Ok([h, w])
    }

    /// Checks a metadata entry against the number that follows from the operands' shapes. A different number means that
    /// the metadata belongs to other operands.
    ///
    /// # Errors
    /// Returns an error if the entry is present and differs from `from_shapes`.
    pub fn agree(&self, key: &str, from_shapes: usize) -> Result<()> {
        let Some(text) = self.metadata.get(key) else { return Ok(()) };
        ensure!(
            text.trim().parse() == Ok(from_shapes),
            "metadata {key} is {text:?}, but the operands' shapes make {key} {from_shapes}"
        );
        Ok(())
    }

    /// Returns the options with stride, padding and dilation from the metadata and defaults for the rest.
    ///
    /// # Errors
    /// Returns an error if one of the entries is neither one number nor two.
    pub fn options(&self) -> Result<Options> {
        let defaults = Options::default();
        Ok(Options {
            stride: self.pair("stride", defaults.stride)?,
            padding: self.pair("padding", defaults.padding)?,
            dilation: self.pair("dilation", defaults.dilation)?,
            ..defaults
        })
    }

    /// Returns a text about stride, padding and dilation if the file leaves one out, for errors that may come from that.
    pub(crate) fn assumed(&self) -> Result<Option<String>> {
        let Options { stride, padding, dilation, .. } = self.options()?;
        let pairs = [("stride", stride), ("padding", padding), ("dilation", dilation)];
        if pairs.iter().all(|(key, _)| self.metadata.contains_key(*key)) {
            return Ok(None);
        }
        let pairs = pairs.map(|(key, [h, w])| {
            let absent = if self.metadata.contains_key(key) { "" } else { " (the default, the metadata has none)" };
            format!("{key} {h},{w}{absent}")
        });
        Ok(Some(format!("the operands do not fit {}", pairs.join(", "))))
    }
}

/// Returns the words of choices, in a row.
pub(crate) fn words<T>(choices: &[(&str, T)]) -> String {
    choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}
