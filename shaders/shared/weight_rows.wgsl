// Reads one weight of each of four neighbouring output channels. The kernel that uses this file declares `params` and
// `weight`.

/// Elements between output channels of the weight.
fn row_stride() -> u32 {
    return params.segments_per_group * params.segment_channels * params.taps;
}

/// `row` is the first of the four output channels, counted in its weight group, and `at` is the index of its weight.
/// Channels past the group's last give 0.
fn weight_of_rows(at: u32, row: u32) -> vec4<f32> {
    let stride = row_stride();
    var value = vec4<f32>(read_weight(at), 0.0, 0.0, 0.0);
    if row + 1u < params.rows { value.y = read_weight(at + stride); }
    if row + 2u < params.rows { value.z = read_weight(at + 2u * stride); }
    if row + 3u < params.rows { value.w = read_weight(at + 3u * stride); }
    return value;
}
