// Computes partial sums of the gradient of the weight: the gradient of the output times the columns, summed over
// pixels.
//
//     partial[split, tile, o, k, l] = Σ over the pixels p of the split of   grad_output[o, p] · columns[k, l, p]
//
// k numbers the packs of input channels of all taps, and l the channels of a pack. grad_weight_reduce.wgsl adds the
// partial sums in order.
//
// Reads   packed_grad_output, and through `column_pack` the stored columns (columns_read.wgsl) or samples of the input
//         (columns_sampled.wgsl): a part's pixels. Padding pixels hold 0.
// Writes  partial.
// Runs    An invocation owns ROW_PACKS·4 output channels × 4 columns, for the pixels of its split; a workgroup is LANES
//         neighbours in columns. Grid: tiles of output channels fastest, then tiles of columns, then weight groups,
//         then splits, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape.
//   1. Lanes are column packs and not pixels, although the sum is over pixels. Eight column packs of a pixel are
//      neighbours in memory, each pack that an invocation reads or samples serves all output channels of the tile, and
//      no two lanes share a sum.
//   2. Where subgroups have 8 lanes, lane l loads output pack l of each 8, and rotation r brings it pack (l + r) mod 8.
//      Elsewhere all lanes load the same packs.
//   3. A variant that samples does so once for every tile of output channels. Where the tiles are few, that costs no
//      more than to write the columns and to read them again.

//@ uses backward/pixel_blocks shared/packed_planes shared/subgroup shared/texels shared/grid
//@ constant LANES Invocations of a workgroup.
//@ constant LANE The builtin that numbers the lanes.
//@ constant ROUND Packs of output channels that the lanes load together, one per lane; 1 if all lanes load the same packs.
//@ constant ROW_PACKS Packs of output channels of one invocation.
//@ constant PIXELS_PER_ITERATION Pixels that one iteration of the loop adds.
//@ constant DEFORMED Whether the call has an offset.
//@ variant stored_subgroup_64 LANES=SUBGROUP_SIZE LANE=subgroup_invocation_id ROUND=SUBGROUP_SIZE ROW_PACKS=16u PIXELS_PER_ITERATION=4u uses backward/columns_read
//@ variant sampled_subgroup_64 LANES=SUBGROUP_SIZE LANE=subgroup_invocation_id ROUND=SUBGROUP_SIZE ROW_PACKS=16u PIXELS_PER_ITERATION=4u DEFORMED=true uses backward/columns_sampled
//@ variant regular_subgroup_64 LANES=SUBGROUP_SIZE LANE=subgroup_invocation_id ROUND=SUBGROUP_SIZE ROW_PACKS=16u PIXELS_PER_ITERATION=4u DEFORMED=false uses backward/columns_sampled
//@ variant sampled_subgroup_32 LANES=SUBGROUP_SIZE LANE=subgroup_invocation_id ROUND=SUBGROUP_SIZE ROW_PACKS=8u PIXELS_PER_ITERATION=4u DEFORMED=true uses backward/columns_sampled
//@ variant regular_subgroup_32 LANES=SUBGROUP_SIZE LANE=subgroup_invocation_id ROUND=SUBGROUP_SIZE ROW_PACKS=8u PIXELS_PER_ITERATION=4u DEFORMED=false uses backward/columns_sampled
//@ variant stored LANES=32u LANE=local_invocation_index ROUND=1u ROW_PACKS=4u PIXELS_PER_ITERATION=2u uses backward/columns_read
//@ variant sampled LANES=32u LANE=local_invocation_index ROUND=1u ROW_PACKS=4u PIXELS_PER_ITERATION=2u DEFORMED=true uses backward/columns_sampled
//@ variant regular LANES=32u LANE=local_invocation_index ROUND=1u ROW_PACKS=4u PIXELS_PER_ITERATION=2u DEFORMED=false uses backward/columns_sampled

struct Params {
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Columns from a pack's plane of the packed input to the next pack's.
    plane_columns: u32,
    /// Rows from a pack's plane of the packed input to the next pack's.
    plane_rows: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// First segment of this step.
    segment_start: u32,
    /// One past the last segment of this step.
    segment_end: u32,
    /// Segments of a weight group.
    segments_per_group: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// First weight group of this step.
    group_start: u32,
    /// Weight groups of this step.
    groups: u32,
    /// Packs of the output channels of a weight group.
    row_packs: u32,
    /// Packs of the output channels of all weight groups of this step.
    all_row_packs: u32,
    /// Blocks of pixels.
    pixel_blocks: u32,
    /// Iterations of the loop of one split.
    iterations_per_split: u32,
    /// Tiles of columns.
    column_tiles: u32,
    /// Tiles of output channels.
    row_tiles: u32,
    /// Workgroups that have work; the rest of the grid is idle.
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(block, group, pack of out channels, pixel of the block)], four out channels
@group(0) @binding(1) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [split, group, column tile, row tile, out channel, pack of columns], four columns
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;

/// Returns pack of columns `k` of the weight group. Taps vary slowest.
fn group_column(k: u32, first_pack: u32, group_packs: u32) -> Column {
    return column_at(k / group_packs, first_pack + k % group_packs);
}

/// Iterations of the loop for one block of pixels.
const ITERATIONS_PER_BLOCK = BLOCK_PIXELS / PIXELS_PER_ITERATION;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin({LANE}) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    // No early return: see grad_column.wgsl.
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
    let first_iteration = split * params.iterations_per_split;
    let end_iteration = min(first_iteration + params.iterations_per_split, params.pixel_blocks * ITERATIONS_PER_BLOCK);
    let column = group_column(column_tile * LANES + lane, first_pack, group_packs);
#if ROUND > 1
    let first = lane;
#else
    let first = 0u;
#end
#for i in 0..ROW_PACKS step ROUND
    let row_{i} = ((group - params.group_start) * params.row_packs + row_tile * ROW_PACKS + first + {i}u) * BLOCK_PIXELS;
#end
#for r in 1..ROUND
    let from_{r} = (lane + {r}u) % LANES;
#end
#for i in 0..ROW_PACKS
#for c in 0..4
    var a_{i}_{c} = vec4<f32>();
#end
#end
    let iterations = select(0u, end_iteration, busy);
    for (var iteration = first_iteration; iteration < iterations; iteration++) {
        let block = iteration / ITERATIONS_PER_BLOCK * BLOCK_PIXELS;
        let pixel = iteration % ITERATIONS_PER_BLOCK * PIXELS_PER_ITERATION;
        let row = block * params.all_row_packs + pixel;
        // No CPU has registers for all sums, so they are in memory. Several pixels per iteration share that traffic.
#for p in 0..PIXELS_PER_ITERATION
        let v_{p} = column_pack(column, block + pixel + {p}u);
#for i in 0..ROW_PACKS step ROUND
        let g_{i}_{p} = textureLoad(packed_grad_output, texel_at(row_{i} + row + {p}u));
#end
#end
#for i in 0..ROW_PACKS
#if i % ROUND > 0
#for p in 0..PIXELS_PER_ITERATION
        let g_{i}_{p} = subgroupShuffle(g_{i - i % ROUND}_{p}, from_{i % ROUND});
#end
#end
#for c in 0..4
        a_{i}_{c} = a_{i}_{c}
#for p in 0..PIXELS_PER_ITERATION
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
