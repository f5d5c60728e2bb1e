// Packs the weight into a texture for fused_subgroup.wgsl: four input channels per texel.
//
//     packed_weight[o, (s·taps + t)·packs + q][l] = weight[o, c, t]          c = s·segment_channels + 4·q + l
//
// o is an output channel, s a segment of its weight group, t a tap and q a pack of the segment: see pack_input.wgsl.
//
// Reads   weight, all of it.
// Writes  packed_weight: every texel; 0 where a segment has no such input channel.
// Runs    One invocation owns one texel; a workgroup is 64 of them. Grid: texels / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. Invocations are numbered with taps fastest and then output channels, so that neighbours read the same
// cache lines of the weight.

//@ uses shared/grid

struct Params {
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of a segment.
    packs: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Elements between rows of the weight.
    row_stride: u32,
    /// Columns of the texture to write.
    texture_width: u32,
    /// Texels to write.
    texels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [out channel, (segment, channel of the segment), tap]
//@ operand
@group(0) @binding(1) var<storage, read> weight: array<weight_element>;
/// [(group, out channel of the group), (segment, tap, pack)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.texels {
        return;
    }
    let tap = number % params.taps;
    let column = number / params.taps % params.texture_width;
    let segment = number / params.taps / params.texture_width / params.packs;
    let pack = number / params.taps / params.texture_width % params.packs;
    let row = (segment * params.taps + tap) * params.packs + pack;
    let first = pack * 4u;
    let channel = segment * params.segment_channels + first;
    let at = column * params.row_stride + channel * params.taps + tap;
    var value = vec4<f32>(read_weight(at), 0.0, 0.0, 0.0);
    if first + 1u < params.segment_channels { value.y = read_weight(at + params.taps); }
    if first + 2u < params.segment_channels { value.z = read_weight(at + 2u * params.taps); }
    if first + 3u < params.segment_channels { value.w = read_weight(at + 3u * params.taps); }
    textureStore(packed_weight, vec2<u32>(column, row), value);
}
