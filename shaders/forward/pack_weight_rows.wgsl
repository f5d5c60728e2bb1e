// Packs the weight for fused_tiled.wgsl: one row per sampled value, with its output channels side by side.
//
//     packed_weight[((g·segments + s)·taps + t)·padded_channels + n][o] = weight[g·rows + o, s·segment_channels + n, t]
//
// g is a weight group, s a segment of it (input channels that share their offset group too), t a tap, n a channel of
// the segment and o an output channel of the group.
//
// Reads   weight, all of it.
// Writes  packed_weight: all of it, as vec4s of neighbouring output channels.
// Runs    One invocation owns one vec4; a workgroup is 64 of them. Grid: vec4s / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. A tile of the product reads vec4s of output channels. Zeros fill the rows up to padded_channels and
// padded_rows, so that the product needs no test at its edges.

//@ uses shared/weight_rows shared/grid

struct Params {
    /// Output channels of a weight group.
    rows: u32,
    /// `rows` rounded up to whole vec4s.
    padded_rows: u32,
    /// Segments of a weight group.
    segments_per_group: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// `segment_channels` rounded up to whole blocks of fused_tiled.wgsl.
    padded_channels: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// vec4s to write.
    packs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(group, out channel of the group), (segment, channel of the segment), tap]
//@ operand
@group(0) @binding(1) var<storage, read> weight: array<weight_element>;
/// [(group, segment, tap, channel of the segment), out channel of the group / 4]
@group(0) @binding(2) var<storage, read_write> packed_weight: array<vec4<f32>>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if at >= params.packs {
        return;
    }
    let row_packs = params.padded_rows / 4u;
    let o = at % row_packs * 4u;
    let row = at / row_packs;
    let n = row % params.padded_channels;
    let tap = row / params.padded_channels % params.taps;
    let segment = row / params.padded_channels / params.taps;
    let group = segment / params.segments_per_group;
    let channel = segment % params.segments_per_group * params.segment_channels + n;
    let first = (group * params.rows + o) * row_stride() + channel * params.taps + tap;
    var value = vec4<f32>();
    if n < params.segment_channels {
        value = weight_of_rows(first, o);
    }
    packed_weight[at] = value;
}
