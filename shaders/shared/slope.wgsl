// The derivative of an activation, computed from the activation's output.
//
//     IDENTITY    1
//     RELU        1 if output > 0, else 0
//     kind · σ    output · (1 − output / kind)

//@ uses shared/activation_kinds

fn slope(kind: u32, output: f32) -> f32 {
    if kind == IDENTITY {
        return 1.0;
    }
    if kind == RELU {
        return select(0.0, 1.0, output > 0.0);
    }
    return output * (1.0 - output / f32(kind));
}
