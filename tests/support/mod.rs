//! Code that both test binaries share: cases with their operands, the stored cases, and the comparator.

#![allow(dead_code, reason = "each binary uses only a part")]

pub mod case;
pub mod compare;
pub mod expected;
pub mod files;
pub mod fuzz;
pub mod golden;
pub mod numbers;
