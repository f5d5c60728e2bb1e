//! A case: one call of an operator in a safetensors file, with its operands, its options and the right answers.
//!
//! The tool, the browser's page and the tests read the same files by this.

mod file;
mod operators;

pub use file::{Answer, CaseFile};
pub use operators::{
    Computed, conv2d, cycle_fc, cycle_fc_layer, deform_conv2d, deformable_conv2d, deformable_conv2d_layer,
    generator_gradients, shift,
};
