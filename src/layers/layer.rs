//! The interface that all layers share.

use super::parameter::Parameter;
use crate::ops::optimizer::Variable;

/// A layer: it has parameters that are learned.
pub trait Layer {
    /// Returns the parameters with their names in a state dict.
    fn parameters(&self) -> Vec<(String, &Parameter)>;

    /// Returns the parameters as an optimiser's variables.
    fn variables(&self) -> Vec<Variable> {
        self.parameters().into_iter().map(|(_, parameter)| parameter.variable()).collect()
    }
}
