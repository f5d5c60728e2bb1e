//! The stages of a part, in the order of their steps.

use super::pass::Pass;
use super::stage::Stage;
use super::{
    col2im, grad_column, grad_input, grad_offset, grad_weight, grad_weight_depthwise, pack_grad_output, pack_input,
    pack_taps, pack_weight_depthwise,
};

const STAGES: &[Stage] = &[
    pack_weight_depthwise::STAGE,
    pack_input::STAGE,
    pack_grad_output::STAGE,
    pack_taps::STAGE,
    grad_column::STAGE,
    grad_offset::STAGE,
    grad_weight::STAGE,
    grad_weight_depthwise::STAGE,
    col2im::STAGE,
    grad_input::STAGE,
];

/// Returns the stages that have anything to compute.
pub(super) fn wanted(pass: &Pass<'_>) -> impl Iterator<Item = &'static Stage> {
    STAGES.iter().filter(|stage| (stage.wanted)(pass))
}
