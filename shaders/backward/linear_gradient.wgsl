//@ uses shared/slope

/// Returns the gradient in front of the activation, at an element of the image. The kernel that uses this file declares
/// `params`, `grad_output` and `output`. ACTIVATED is a constant, because a CPU driver executes both sides of a branch
/// and would read an output that it does not use.
fn linear_gradient(at: u32) -> f32 {
    let gradient = read_grad_output(params.grad_output_base + at);
    if !ACTIVATED {
        return gradient;
    }
    return gradient * slope(params.kind, read_output(params.output_base + at));
}
