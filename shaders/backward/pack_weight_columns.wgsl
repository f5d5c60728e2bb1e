// Packs the weight for grad_column.wgsl, which multiplies by the transposed weight: four output channels per texel.
//
//     packed_weight_columns[((t·row_packs + r)·packs + k)·4 + l][m] = weight[o, c, t]
//
// t is a tap. k is a pack of input channels (see pack_input.wgsl), counted from this step's first, and l is its channel
// c. r is a pack of output channels of c's weight group, and m is its channel o. Channels that do not exist are 0.
//
// Reads   weight, all of it.
// Writes  packed_weight_columns: every texel of this step's packs.
// Runs    One invocation owns a texel of up to TAPS_PER_INVOCATION taps; a workgroup is 64 neighbours. Grid: a tap's
//         texels fastest, then blocks of taps, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The taps of a weight are neighbours in memory, so an invocation that owns several of them reads whole
// cache lines.

//@ uses shared/weight_rows shared/texels shared/grid

struct Params {
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// First segment of this step.
    segment_start: u32,
    /// First pack of each segment in this step.
    pack_start: u32,
    /// Segments of a weight group.
    segments_per_group: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// Packs of the output channels of a weight group.
    row_packs: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [out channel, (segment of the group, channel of the segment), tap]
//@ operand
@group(0) @binding(1) var<storage, read> weight: array<weight_element>;
/// [(tap, pack of out channels, pack, channel)], four out channels
@group(0) @binding(2) var packed_weight_columns: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
/// The largest number of taps of one invocation.
const TAPS_PER_INVOCATION = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    // The number of the texel among those of its tap.
    let texels = params.row_packs * params.packs * 4u;
    let texel = number % texels;
    let pack = texel / 4u % params.packs;
    let row = texel / 4u / params.packs * 4u;
    let segment = params.segment_start + pack / params.segment_packs;
    let group = segment / params.segments_per_group;
    let channel = (params.pack_start + pack % params.segment_packs) * 4u + texel % 4u;
    let group_channel = segment % params.segments_per_group * params.segment_channels + channel;
    let start = (group * params.rows + row) * row_stride() + group_channel * params.taps;
    // For invocations past the last, the first tap is past the last tap.
    var tap = number / texels * TAPS_PER_INVOCATION;
    let end = min(tap + TAPS_PER_INVOCATION, params.taps);
    for (; tap < end; tap++) {
        var value = vec4<f32>();
        if channel < params.segment_channels {
            value = weight_of_rows(start + tap, row);
        }
        textureStore(packed_weight_columns, texel_at(tap * texels + texel), value);
    }
}
