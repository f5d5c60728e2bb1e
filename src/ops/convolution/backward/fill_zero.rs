//! Fills gradients with zeros: those that several steps add up, unless the caller wants them added to its tensor.

use super::pass::Pass;
use crate::error::Result;
use crate::kernel::backward::fill_zero;
use crate::kernel::shared::window;
use crate::ops::convolution::gradients::Mode;
use crate::plan::{Len, Plan, split};

pub(super) fn steps(pass: &Pass<'_>, plan: &mut Plan) -> Result<()> {
    let g = pass.g;
    for (operand, mode, elements) in [
        ("grad_input", pass.modes.input, g.batch * g.in_channels * g.in_pixels()),
        ("grad_weight", pass.modes.weight, g.weight_elements()),
        ("grad_bias", pass.modes.bias, g.out_channels),
    ] {
        if mode != Mode::Write {
            continue;
        }
        for part in split(0..elements as u64, pass.limits.max_window_elements()) {
            let (gradient, base) = pass.limits.window(operand, part.start, part.len());
            let params = window::Params { elements: part.len(), base };
            let workgroups = fill_zero::KERNEL.workgroups(part.len());
            plan.push(pass.step(&fill_zero::KERNEL, params, vec![gradient], workgroups)?)?;
        }
    }
    Ok(())
}
