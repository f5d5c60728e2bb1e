// Computes the gradient of the columns: the transposed weight times the gradient of the output, a product of two
// textures.
//
//     grad_column[c, t, p] = Σ over the output channels o of c's weight group of   weight[o, c, t] · grad_output[o, p]
//
// pack_weight_columns.wgsl and pack_grad_output.wgsl define the layouts of the operands.
//
// Reads   packed_grad_output, packed_weight_columns.
// Writes  grad_column: 8 packs of channels of one tap and 4 pixels per invocation. Padding pixels get 0.
// Runs    An invocation owns 4 pixels; a workgroup is LANES of them. Grid: pixels fastest, then taps, then blocks of 8
//         packs of a weight group, then weight groups, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. The same as fused_subgroup.wgsl's, with a texel in the place of a sample. Where subgroups have 8
// lanes, lane l loads the weights of pack l, and rotation r brings it those of pack (l + r) mod 8. So the sums numbered
// r belong to another pack in every lane. Elsewhere all lanes load the same weights, and a GPU serves one address to
// all of its lanes at once.

//@ uses backward/pixel_blocks backward/columns_layout shared/subgroup shared/texels shared/grid
//@ constant LANES Invocations of a workgroup.
//@ constant LANE The builtin that numbers the lanes.
//@ constant LOADED_PACKS Packs whose weights one lane loads; it gets those of the others from the other lanes.
//@ variant subgroup LANES=SUBGROUP_SIZE LANE=subgroup_invocation_id LOADED_PACKS=1u
//@ variant portable LANES=32u LANE=local_invocation_index LOADED_PACKS=8u

struct Params {
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Packs of the packed weight.
    weight_packs: u32,
    /// Number of this step's first pack among the packs of the packed weight.
    first_pack: u32,
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
    /// First group of this step.
    group_start: u32,
    /// Blocks of packs of a weight group.
    pack_blocks: u32,
    /// Packs of the output channels of a weight group.
    row_packs: u32,
    /// Packs of the output channels of all weight groups of this step.
    all_row_packs: u32,
    /// Output pixels of the part, filled up to whole blocks.
    padded_pixels: u32,
    /// Blocks of pixels.
    pixel_blocks: u32,
    /// Workgroups that have work; the rest of the grid is idle.
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(block, group, pack of out channels, pixel of the block)], four out channels
@group(0) @binding(1) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [(tap, pack of out channels, pack, channel)], four out channels
@group(0) @binding(2) var packed_weight_columns: texture_storage_2d<rgba32float, read>;
/// [(block of packs, tap, pixel, pack)], four channels of the pack: columns_layout.wgsl
@group(0) @binding(3) var<storage, read_write> grad_column: array<vec4<f32>>;

/// Returns the index of a pixel's first texel in packed_grad_output.
fn grad_output_start(pixel: u32) -> u32 {
    return pixel / BLOCK_PIXELS * params.all_row_packs * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
}

/// Pixels of one invocation.
const PIXELS_PER_INVOCATION = 4u;
/// Packs of one invocation.
const PACKS_PER_INVOCATION = 8u;
// Either a lane loads the weights of all of its packs, or each lane loads those of one.
const_assert LOADED_PACKS == PACKS_PER_INVOCATION || (LOADED_PACKS == 1u && LANES == PACKS_PER_INVOCATION);

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin({LANE}) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    // No early return: it would put all that follows into a branch, which takes a driver twice the time to compile.
    let busy = number < params.workgroups;
    let pixel = number % params.pixel_blocks * PIXELS_PER_INVOCATION * LANES + lane;
    let tap = number / params.pixel_blocks % params.taps;
    let pack_block = number / params.pixel_blocks / params.taps;
    let group = params.group_start + pack_block / params.pack_blocks;
    let group_segment = group * params.segments_per_group;
    let segment = max(params.segment_start, group_segment);
    let segment_end = min(params.segment_end, group_segment + params.segments_per_group);
    let pack_end = (segment_end - params.segment_start) * params.segment_packs;
    let pack = (segment - params.segment_start) * params.segment_packs + pack_block % params.pack_blocks * PACKS_PER_INVOCATION;
    let columns = params.taps * params.padded_pixels;
    let first_column = tap * params.padded_pixels;
    let row = (tap * params.row_packs * params.weight_packs + params.first_pack) * 4u;
#for p in 0..PIXELS_PER_INVOCATION
    var grad_{p} = grad_output_start(pixel + {p * LANES}u) + (group - params.group_start) * params.row_packs * BLOCK_PIXELS;
#end
#if LOADED_PACKS == 1
    let first = lane;
#else
    let first = 0u;
#end
#for r in 0..LOADED_PACKS
    var weight_{r} = row + (pack + first + {r}u) * 4u;
#end
#for r in LOADED_PACKS..PACKS_PER_INVOCATION
    let from_{r} = (lane + {r}u) % PACKS_PER_INVOCATION;
#end
#for p in 0..PIXELS_PER_INVOCATION
#for r in 0..PACKS_PER_INVOCATION
#for c in 0..4
    var a_{p}_{r}_{c} = 0.0;
#end
#end
#end
    let iterations = select(0u, params.row_packs, busy);
    for (var n = 0u; n < iterations; n++) {
#for p in 0..PIXELS_PER_INVOCATION
        let g_{p} = textureLoad(packed_grad_output, texel_at(grad_{p}));
        grad_{p} += BLOCK_PIXELS;
#end
#if LOADED_PACKS == 1
        // These texels are read before the first product: see fused_subgroup.wgsl.
#for c in 0..4
        let w_0_{c} = textureLoad(packed_weight_columns, texel_at(weight_0 + {c}u));
#end
#end
#for r in 0..PACKS_PER_INVOCATION
#for c in 0..4
#if LOADED_PACKS > 1
        let w_{r}_{c} = textureLoad(packed_weight_columns, texel_at(weight_{r} + {c}u));
#end
#if r >= LOADED_PACKS
        let w_{r}_{c} = subgroupShuffle(w_0_{c}, from_{r});
#end
#for p in 0..PIXELS_PER_INVOCATION
        a_{p}_{r}_{c} = a_{p}_{r}_{c} + g_{p}.x * w_{r}_{c}.x + g_{p}.y * w_{r}_{c}.y + g_{p}.z * w_{r}_{c}.z + g_{p}.w * w_{r}_{c}.w;
#end
#end
#end
#for r in 0..LOADED_PACKS
        weight_{r} += params.weight_packs * 4u;
#end
    }
    // One copy of the code that stores: a driver takes longer to compile many copies than all the rest.
    var sums = array<vec4<f32>, PIXELS_PER_INVOCATION * PACKS_PER_INVOCATION>(
#for p in 0..PIXELS_PER_INVOCATION
#for r in 0..PACKS_PER_INVOCATION
        vec4<f32>(a_{p}_{r}_0, a_{p}_{r}_1, a_{p}_{r}_2, a_{p}_{r}_3),
#end
#end
    );
    for (var n = 0u; n < PIXELS_PER_INVOCATION * PACKS_PER_INVOCATION; n++) {
        let p = pixel + n / PACKS_PER_INVOCATION * LANES;
        let k = pack + (first + n) % PACKS_PER_INVOCATION;
        if busy && p < params.padded_pixels && k < pack_end {
            grad_column[column_index(columns_of(k, params.packs, columns), first_column + p)] = sums[n];
        }
    }
}
