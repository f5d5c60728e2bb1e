// Adds the partial sums of grad_weight.wgsl to the gradient of the weight, in order.
//
//     grad_weight[o, c, t] += Σ over the splits of   partial[split, tile, o, k, l]
//
// Reads   partial.
// Writes  grad_weight: this step's channels.
// Runs    One invocation owns a pack of an output channel and up to TAPS_PER_INVOCATION of its taps; a workgroup is 64
//         neighbours. Grid: packs fastest, then output channels, then blocks of taps, folded.
// Order   No barrier, no atomic; one order of summation.
//
// Why this shape. Neighbouring invocations read neighbouring packs of the partial sums, and the taps of an invocation
// are neighbours in the weight.

//@ uses shared/grid

struct Params {
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// First pack of each segment in this step.
    pack_start: u32,
    /// First segment of this step.
    segment_start: u32,
    /// One past the last segment of this step.
    segment_end: u32,
    /// Segments of a weight group.
    segments_per_group: u32,
    /// First weight group of this step.
    group_start: u32,
    /// Weight groups of this step.
    groups: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// Packs of output channels of a tile.
    row_packs_per_tile: u32,
    /// Packs of columns of a tile.
    column_packs_per_tile: u32,
    /// Tiles of columns.
    column_tiles: u32,
    /// Tiles of output channels.
    row_tiles: u32,
    /// Splits of the sum.
    splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [split, group, column tile, row tile, out channel, pack of columns], four columns
@group(0) @binding(1) var<storage, read> partial: array<vec4<f32>>;
/// [out channel, (segment of the group, channel of the segment), tap]
@group(0) @binding(2) var<storage, read_write> grad_weight: array<f32>;

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
    // The packs of this step. Each has the output channels of its weight group.
    let packs = (params.segment_end - params.segment_start) * params.segment_packs;
    let pack = number % packs;
    let unit = number / packs;
    let row = unit % params.rows;
    let segment_of_step = pack / params.segment_packs;
    let segment = params.segment_start + segment_of_step;
    let channel = (params.pack_start + pack - segment_of_step * params.segment_packs) * 4u;
    let group = segment / params.segments_per_group;
    let group_segment = group * params.segments_per_group;
    let first = max(params.segment_start, group_segment);
    let end = min(params.segment_end, group_segment + params.segments_per_group);
    let group_packs = (end - first) * params.segment_packs;

    let sums = 4u * params.row_packs_per_tile * params.column_packs_per_tile;
    let first_tile = (group - params.group_start) * params.column_tiles * params.row_tiles;
    let tiles = params.groups * params.row_tiles * params.column_tiles;
    // The tiles of rows lie one behind the other, so this counts on from tile to tile.
    let in_tiles = row * params.column_packs_per_tile;

    let group_channel = (segment - group_segment) * params.segment_channels + channel;
    let row_stride = params.segments_per_group * params.segment_channels * params.taps;
    let start = (group * params.rows + row) * row_stride + group_channel * params.taps;
    // For invocations past the last, the first tap is past the last tap.
    var tap = unit / params.rows * TAPS_PER_INVOCATION;
    let end_tap = min(tap + TAPS_PER_INVOCATION, params.taps);
    for (; tap < end_tap; tap++) {
        let k = tap * group_packs + pack - (first - params.segment_start) * params.segment_packs;
        let column_tile = k / params.column_packs_per_tile;
        let tile = first_tile + column_tile * params.row_tiles;
        var at = tile * sums + in_tiles + k - column_tile * params.column_packs_per_tile;
        var sum = vec4<f32>();
        for (var n = 0u; n < params.splits; n++) {
            sum += partial[at];
            at += tiles * sums;
        }
        let to = start + tap;
        grad_weight[to] += sum.x;
        if channel + 1u < params.segment_channels { grad_weight[to + params.taps] += sum.y; }
        if channel + 2u < params.segment_channels { grad_weight[to + 2u * params.taps] += sum.z; }
        if channel + 3u < params.segment_channels { grad_weight[to + 3u * params.taps] += sum.w; }
    }
}
