// The gradient of the weight, as partial sums: the gradient of the output times the columns, summed over pixels.
//
//     partial[split, tile, o, k, l] = Σ over the pixels p of the split of   grad_output[o, p] · columns[k, l, p]
//
// k numbers packs of input channels of all taps, l the channels of one. grad_weight_reduce.wgsl adds the partial sums in
// order.
//
// Reads   packed_grad_output, and by `column_pack` the columns (columns_read.wgsl), or the input in their place (columns_sampled.wgsl): a window
//         of one image's pixels; padding pixels hold 0.
// Writes  partial.
// Runs    An invocation owns ROW_PACKS·4 output channels by 4 columns, and the pixels of its split; a workgroup is LANES of them, neighbours
//         in columns. Grid: tiles of output channels fastest, then of columns, then weight groups, then splits, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. Lanes are columns and not pixels, though the sum is over these: eight of a pixel's column packs are neighbours in memory, one
// texel serves all output channels of the tile, and no lane's sums are another's. Where subgroups have 8 lanes, lane l loads output
// pack l of each 8, and r rotations bring it pack (l + r) mod 8. Elsewhere all lanes load the same packs.
// A column is sampled once for every tile of output channels. Where these are few, that is no more than to write it and read it again.

//@ uses backward/pixel_blocks shared/texels shared/grid
//@ variant stored_subgroup_64 LANES=8u LANE=subgroup_invocation_id ROUND=8u ROW_PACKS=16u PIXELS_PER_TURN=4u uses backward/columns_read
//@ variant sampled_subgroup_64 LANES=8u LANE=subgroup_invocation_id ROUND=8u ROW_PACKS=16u PIXELS_PER_TURN=4u DEFORMED=true uses backward/columns_sampled
//@ variant regular_subgroup_64 LANES=8u LANE=subgroup_invocation_id ROUND=8u ROW_PACKS=16u PIXELS_PER_TURN=4u DEFORMED=false uses backward/columns_sampled
//@ variant sampled_subgroup_32 LANES=8u LANE=subgroup_invocation_id ROUND=8u ROW_PACKS=8u PIXELS_PER_TURN=4u DEFORMED=true uses backward/columns_sampled
//@ variant regular_subgroup_32 LANES=8u LANE=subgroup_invocation_id ROUND=8u ROW_PACKS=8u PIXELS_PER_TURN=4u DEFORMED=false uses backward/columns_sampled
//@ variant stored LANES=32u LANE=local_invocation_index ROUND=1u ROW_PACKS=4u PIXELS_PER_TURN=2u uses backward/columns_read
//@ variant sampled LANES=32u LANE=local_invocation_index ROUND=1u ROW_PACKS=4u PIXELS_PER_TURN=2u DEFORMED=true uses backward/columns_sampled
//@ variant regular LANES=32u LANE=local_invocation_index ROUND=1u ROW_PACKS=4u PIXELS_PER_TURN=2u DEFORMED=false uses backward/columns_sampled

struct Params {
    /// Taps in all.
    taps: u32,
    /// Rows of the input.
    in_height: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// First segment of this step.
    segment_start: u32,
    /// One past the last.
    segment_end: u32,
    /// Segments of a weight group.
    segments_per_group: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// First group of this step.
    group_start: u32,
    /// Groups of this step.
    groups: u32,
    /// Packs of the output channels of a weight group.
    row_packs: u32,
    /// The same of all weight groups of this step.
    all_row_packs: u32,
    /// Blocks of pixels.
    pixel_blocks: u32,
    /// Turns of the loop of one split.
    turns_per_split: u32,
    /// Tiles of columns.
    column_tiles: u32,
    /// Tiles of output channels.
    row_tiles: u32,
    /// Workgroups with something to do.
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(block, group, pack of out channels, pixel of the block)], four out channels
@group(0) @binding(1) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [split, group, column tile, row tile, out channel, pack of columns], four columns
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;

/// The weight group's pack of columns `k`, taps slowest.
fn group_column(k: u32, first_pack: u32, group_packs: u32) -> Column {
    let inside = min(k, group_packs * params.taps - 1u);
    return column_at(inside / group_packs, first_pack + inside % group_packs);
}

/// Turns of the loop for one block of pixels.
const TURNS_PER_BLOCK = BLOCK_PIXELS / PIXELS_PER_TURN;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin({LANE}) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    // Not a return: see grad_column.
    let busy = number < params.workgroups;
    let row_tile = number % params.row_tiles;
    let column_tile = number / params.row_tiles % params.column_tiles;
    let group = params.group_start + number / params.column_tiles / params.row_tiles % params.groups;
    let split = number / params.column_tiles / params.row_tiles / params.groups;
    let group_segment = group * params.segments_per_group;
    let segment = max(params.segment_start, group_segment);
    let segment_end = min(params.segment_end, group_segment + params.segments_per_group);
    let first_pack = (segment - params.segment_start) * params.segment_packs;
    let group_packs = (segment_end - segment) * params.segment_packs;
    let first_turn = split * params.turns_per_split;
    let end_turn = min(first_turn + params.turns_per_split, params.pixel_blocks * TURNS_PER_BLOCK);
    let column = group_column(column_tile * LANES + lane, first_pack, group_packs);
#if ROUND > 1
    let first = lane;
#else
    let first = 0u;
#end
#for i in 0..ROW_PACKS step ROUND
    let row_{i} = ((group - params.group_start) * params.row_packs + min(row_tile * ROW_PACKS + first + {i}u, params.row_packs - 1u)) * BLOCK_PIXELS;
#end
#for r in 1..ROUND
    let from_{r} = (lane + {r}u) % LANES;
#end
#for i in 0..ROW_PACKS
#for c in 0..4
    var a_{i}_{c} = vec4<f32>();
#end
#end
    let turns = select(0u, end_turn, busy);
    for (var turn = first_turn; turn < turns; turn++) {
        let block = turn / TURNS_PER_BLOCK * BLOCK_PIXELS;
        let pixel = turn % TURNS_PER_BLOCK * PIXELS_PER_TURN;
        let row = block * params.all_row_packs + pixel;
        // The sums are in memory, since no CPU has so many registers: several pixels a turn share the traffic.
#for p in 0..PIXELS_PER_TURN
        let v_{p} = column_pack(column, block + pixel + {p}u);
#for i in 0..ROW_PACKS step ROUND
        let g_{i}_{p} = textureLoad(packed_grad_output, texel_at(row_{i} + row + {p}u));
#end
#end
#for i in 0..ROW_PACKS
#if i % ROUND > 0
#for p in 0..PIXELS_PER_TURN
        let g_{i}_{p} = subgroupShuffle(g_{i - i % ROUND}_{p}, from_{i % ROUND});
#end
#end
#for c in 0..4
        a_{i}_{c} = a_{i}_{c}
#for p in 0..PIXELS_PER_TURN
            + g_{i}_{p}[{c}] * v_{p}
#end
            ;
#end
#end
    }
    var sums = array<vec4<f32>, ROW_PACKS * 4u>(
#for i in 0..ROW_PACKS
        a_{i}_0, a_{i}_1, a_{i}_2, a_{i}_3,
#end
    );
    for (var n = 0u; n < ROW_PACKS * 4u; n++) {
        let row = n / (4u * ROUND) * (4u * ROUND) + (first * 4u + n) % (4u * ROUND);
        if busy {
            partial[(number * ROW_PACKS * 4u + row) * LANES + lane] = sums[n];
        }
    }
}
