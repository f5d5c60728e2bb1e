//@ uses shared/slope

/// The gradient before the activation, at an element of the image: `params`, `grad_output` and `output` are the kernel's own. ACTIVATED is a
/// constant, since a CPU driver would read an output that nothing is made of.
fn linear_gradient(at: u32) -> f32 {
    let gradient = read_grad_output(params.grad_output_base + at);
    if !ACTIVATED {
        return gradient;
    }
    return gradient * slope(params.kind, read_output(params.output_base + at));
}
