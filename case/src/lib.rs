//! Stored cases. A case is one call of an operator in a safetensors file: its operands, its options and the expected
//! results.
//!
//! The command-line tool, the web page and the tests read the files with this crate. The tool and the page also write
//! them with it. The tool and the tests compare results with expected ones.

mod accuracy;
mod file;
mod metadata;
mod operator;
mod operators;

pub use accuracy::{Comparison, ErrorBound, ErrorBounds, Mismatch, UNIT, Worst, activated, sigmoid_factor};
pub use file::{Answer, CaseFile, serialize};
pub use operator::Operator;
pub use operators::{
    CONV2D, CYCLE_FC, Call, Computed, DEFORM_CONV2D, DEFORMABLE_CONV2D, OPERATORS, SHIFT, cycle_fc_layer,
    deformable_conv2d_layer, generator_gradients, upload,
};
