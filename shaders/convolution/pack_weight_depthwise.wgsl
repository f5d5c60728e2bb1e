// Packs the weight of a depthwise convolution, or of one with weight groups of 2 to 4 input channels: four channels per
// texel of a texture, or side by side in a buffer.
//
//     packed_weight[(t·packs + s·segment_packs + q)·rows + r][l] = weight[g·rows + r, n, t]
//     g·group_channels + n = c = s·segment_channels + 4·q + l
//
// s is a segment (the channels of an offset group), q a pack of the segment, t a tap, g a weight group and r one of its
// output channels. Lanes of a pack past the segment's last channel are 0.
//
// Reads   weight, all of it.
// Writes  packed_weight: every texel.
// Runs    One invocation owns one texel; a workgroup is 64 of them. Grid: texels / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The depthwise kernels multiply a pack of samples by a pack of weights for each output channel of the
// weight groups; taps vary slowest, so the packs of one tap are neighbours.

//@ uses shared/grid
//@ variant texture uses convolution/weight_texture
//@ variant buffer uses convolution/weight_buffer

struct Params {
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of a segment.
    segment_packs: u32,
    /// Packs of all segments.
    packs: u32,
    /// Input channels of a weight group.
    group_channels: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Texels to write.
    texels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(group, out channel of the group), channel of the group, tap]
//@ operand
@group(0) @binding(1) var<storage, read> weight: array<weight_element>;

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
    let row = texel % params.rows;
    let pack = texel / params.rows % params.packs;
    let tap = texel / params.rows / params.packs;
    let segment = pack / params.segment_packs;
    let first = pack % params.segment_packs * 4u;
    let channel = segment * params.segment_channels + first;
    var value = vec4<f32>(weight_at(channel, row, tap), 0.0, 0.0, 0.0);
    if first + 1u < params.segment_channels { value.y = weight_at(channel + 1u, row, tap); }
    if first + 2u < params.segment_channels { value.z = weight_at(channel + 2u, row, tap); }
    if first + 3u < params.segment_channels { value.w = weight_at(channel + 3u, row, tap); }
    store_pack(texel, value);
}

/// Returns the weight of an input channel for an output channel of its weight group.
fn weight_at(channel: u32, row: u32, tap: u32) -> f32 {
    let group = channel / params.group_channels;
    let in_group = channel % params.group_channels;
    return read_weight(((group * params.rows + row) * params.group_channels + in_group) * params.taps + tap);
}
