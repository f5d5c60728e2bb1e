// Samples four channels of a column from the packed input, for fused_tiled.wgsl.

//@ uses shared/sample_planes

/// Samples a pack of a segment. A pack past the segment's last is 0.
fn sample_pack(tap: Tap, segment: u32, pack: u32) -> vec4<f32> {
    let packs = (params.segment_channels + 3u) / 4u;
    return select(vec4<f32>(), sample(tap, plane_at(segment * packs + pack)), pack < packs);
}
