// Adds to the gradient of the input. The kernel that uses this file declares `grad_input`.

/// Adds the first `channels` channels of a pack to a pixel. `at` is the pixel's index in the plane of the pack's first
/// channel, and planes are `size` elements apart.
fn add_channels(at: u32, size: u32, channels: u32, value: vec4<f32>) {
    if channels > 0u { grad_input[at] += value.x; }
    if channels > 1u { grad_input[at + size] += value.y; }
    if channels > 2u { grad_input[at + 2u * size] += value.z; }
    if channels > 3u { grad_input[at + 3u * size] += value.w; }
}
