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

/// (a / b, a % b), from one division: CPU drivers divide lane by lane, and for a remainder once more.
fn div_mod(a: u32, b: u32) -> vec2<u32> {
    let quotient = a / b;
    return vec2<u32>(quotient, a - quotient * b);
}

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
    let slot_tap = div_mod(number, params.taps);
    let tap = slot_tap.y;
    let row_slot = div_mod(slot_tap.x, (params.segment_end - params.segment_start) * params.segment_quads * 4u);
    let row = row_slot.x;
    let slot = row_slot.y;
    let quad = slot / 4u;
    let segment_quad = div_mod(quad, params.segment_quads);
    let segment = params.segment_start + segment_quad.x;
    let channel = (params.quad_start + segment_quad.y) * 4u + slot % 4u;
    if channel >= params.segment_channels {
        return;
    }
    let group = segment / params.segments_per_group;
    let group_segment = group * params.segments_per_group;
    let first = max(params.segment_start, group_segment);
    let end = min(params.segment_end, group_segment + params.segments_per_group);
    let group_quads = (end - first) * params.segment_quads;
    let k = tap * group_quads + quad - (first - params.segment_start) * params.segment_quads;

    let row_tile = div_mod(row, 4u * params.row_quads_per_tile);
    let column_tile = div_mod(k, params.column_quads_per_tile);
    let sums = 16u * params.row_quads_per_tile * params.column_quads_per_tile;
    let tile = ((group - params.group_start) * params.column_tiles + column_tile.x) * params.row_tiles + row_tile.x;
    let sum_number = (row_tile.y * params.column_quads_per_tile + column_tile.y) * 4u + slot % 4u;
    let tiles = params.groups * params.row_tiles * params.column_tiles;
    var sum = 0.0;
    // Counted up, since a division is dear: where the split lies, and the lane.
    var split = (tile * sums + sum_number) * params.lanes;
    var lane_of_sum = 0u;
    for (var n = 0u; n < params.splits * params.lanes; n++) {
        sum += partial[split + lane_of_sum];
        lane_of_sum++;
        let ends = lane_of_sum == params.lanes;
        split += select(0u, tiles * sums * params.lanes, ends);
        lane_of_sum = select(lane_of_sum, 0u, ends);
    }
    let group_channel = (segment - group_segment) * params.segment_channels + channel;
    let row_stride = params.segments_per_group * params.segment_channels * params.taps;
    grad_weight[(group * params.rows + row) * row_stride + group_channel * params.taps + tap] += sum;
}
