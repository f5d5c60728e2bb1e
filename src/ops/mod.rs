//! The operators. [`convolution`] is the core of [`deform_conv2d`] and [`conv2d`], which are thin; every other operator
//! is one file or one small folder.

pub mod activation;
pub mod conv2d;
pub mod convolution;
pub mod deform_conv2d;
pub mod optimizer;
pub mod roofline;
pub mod shift;
pub mod statistics;
pub mod texture;
