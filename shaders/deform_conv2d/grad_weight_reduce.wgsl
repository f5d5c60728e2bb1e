// Adds the partial sums of grad_weight.wgsl to the gradient of the weight, in order.
//
//     grad_weight[o, c, t] += Σ over splits, then lanes, of   partial
//
// Reads   partial.
// Writes  grad_weight: the channels of this step.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic; one order of summation.

struct GradWeightReduceParams {
    taps: u32,
    segment_channels: u32,
    segment_quads: u32,
    quad_start: u32,
    segment_start: u32,
    segment_end: u32,
    segments_per_group: u32,
    group_start: u32,
    groups: u32,
    rows: u32,
    row_quads_per_tile: u32,
    column_quads_per_tile: u32,
    column_tiles: u32,
    row_tiles: u32,
    splits: u32,
    lanes: u32,
    elements: u32,
}

@group(0) @binding(0) var<uniform> params: GradWeightReduceParams;
/// [split, group, column tile, row tile, sum, lane]
@group(0) @binding(1) var<storage, read> partial: array<f32>;
/// [out channel, (segment of the group, channel of the segment), tap]
@group(0) @binding(2) var<storage, read_write> grad_weight: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.elements {
        return;
    }
    // Every (tap, channel of a quad of this step) of every output channel of its weight group, whether there is such a channel or not.
    let tap = number % params.taps;
    let slot = number / params.taps % ((params.segment_end - params.segment_start) * params.segment_quads * 4u);
    let row = number / params.taps / ((params.segment_end - params.segment_start) * params.segment_quads * 4u);
    let quad = slot / 4u;
    let segment = params.segment_start + quad / params.segment_quads;
    let channel = (params.quad_start + quad % params.segment_quads) * 4u + slot % 4u;
    if channel >= params.segment_channels {
        return;
    }
    let group = segment / params.segments_per_group;
    let group_segment = group * params.segments_per_group;
    let first = max(params.segment_start, group_segment);
    let end = min(params.segment_end, group_segment + params.segments_per_group);
    let group_quads = (end - first) * params.segment_quads;
    let k = tap * group_quads + quad - (first - params.segment_start) * params.segment_quads;

    let row_tile = row / 4u / params.row_quads_per_tile;
    let column_tile = k / params.column_quads_per_tile;
    let sums = 16u * params.row_quads_per_tile * params.column_quads_per_tile;
    let tile = ((group - params.group_start) * params.column_tiles + column_tile) * params.row_tiles + row_tile;
    let tile_row = row % (4u * params.row_quads_per_tile);
    let sum_number = (tile_row * params.column_quads_per_tile + k % params.column_quads_per_tile) * 4u + slot % 4u;
    let tiles = params.groups * params.row_tiles * params.column_tiles;
    var sum = 0.0;
    for (var n = 0u; n < params.splits * params.lanes; n++) {
        let at = (n / params.lanes * tiles + tile) * sums + sum_number;
        sum += partial[at * params.lanes + n % params.lanes];
    }
    let group_channel = segment % params.segments_per_group * params.segment_channels + channel;
    let row_stride = params.segments_per_group * params.segment_channels * params.taps;
    grad_weight[(group * params.rows + row) * row_stride + group_channel * params.taps + tap] += sum;
}
