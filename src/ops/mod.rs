//! The operators, one folder each: geometry, plan, reference, and the verbs in `mod`.

pub mod conv2d;
pub mod deform_conv2d;
pub mod roofline;
