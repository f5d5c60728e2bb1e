// Packs the weight of a depthwise convolution: four channels per texel.
//
//     packed_weight[t·packs + s·segment_packs + q][l] = weight[c, t]          c = s·segment_channels + 4·q + l
//
// s is a segment (the channels of an offset group), q a pack of the segment and t a tap. Lanes of a pack past the
// segment's last channel are 0.
//
// Reads   weight, all of it.
// Writes  packed_weight: every texel.
// Runs    One invocation owns one texel; a workgroup is 64 of them. Grid: texels / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The depthwise kernels multiply a pack of samples by a pack of weights; taps vary slowest, so the
// packs of one tap are neighbours.

//@ uses shared/texels shared/grid

struct Params {
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of a segment.
    segment_packs: u32,
    /// Packs of all segments.
    packs: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Texels to write.
    texels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [channel, tap]
//@ operand
@group(0) @binding(1) var<storage, read> weight: array<weight_element>;
/// [(tap, segment, pack)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let texel = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if texel >= params.texels {
        return;
    }
    let tap = texel / params.packs;
    let segment = texel % params.packs / params.segment_packs;
    let first = texel % params.packs % params.segment_packs * 4u;
    let at = (segment * params.segment_channels + first) * params.taps + tap;
    var value = vec4<f32>(read_weight(at), 0.0, 0.0, 0.0);
    if first + 1u < params.segment_channels { value.y = read_weight(at + params.taps); }
    if first + 2u < params.segment_channels { value.z = read_weight(at + 2u * params.taps); }
    if first + 3u < params.segment_channels { value.w = read_weight(at + 3u * params.taps); }
    textureStore(packed_weight, texel_at(texel), value);
}
