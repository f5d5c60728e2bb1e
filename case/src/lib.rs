//! Stored cases. A case is one call of an operator in a safetensors file: its operands, its options and the expected
//! results.
//!
//! The command-line tool, the web page and the tests read the files with this crate. The tool and the page also write
//! them with it. The tool and the tests compare results with expected ones.

mod accuracy;
mod file;
mod operators;

pub use accuracy::{Comparison, ErrorBound, ErrorBounds, Mismatch, Worst, activated, sigmoid_factor};
pub use file::{Answer, CaseFile, serialize};
pub use operators::{
    Call, Computed, conv2d, cycle_fc, cycle_fc_layer, deform_conv2d, deformable_conv2d, deformable_conv2d_layer,
    generator_gradients, shift, upload,
};
