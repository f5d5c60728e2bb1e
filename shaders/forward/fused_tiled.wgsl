// Samples straight into the product, in tiles: the deformable convolution without a column buffer, for GPUs.
//
//     output[b, o, p] = bias[o] + Σ over the segments s, taps t and channels n of   packed_weight[s, t, n][o] · mask · sample(b, p, s, t, n)
//
// A segment is a run of input channels that share their weight group and their offset group: see pack_weight_rows.wgsl.
// A column is one output pixel of one image.
//
// Reads   input or packed_input (sample_input.wgsl, sample_packed_input.wgsl), packed_weight, offset, mask (1 without
//         one), bias (0 without one): this step's images.
// Writes  output, if the sum is not split. Otherwise partial[split]: the sum over the split's blocks, for reduce.wgsl
//         to add. A block is TILE_K channels of one tap of one segment.
// Runs    A workgroup of ROW_LANES·COLUMN_LANES invocations owns a tile of TILE_M output channels × TILE_N columns of
//         one weight group. An invocation owns VECTORS_M·4 × VECTORS_N·4 outputs of the tile. Grid: column tiles
//         fastest, then row tiles, then weight groups, then splits, folded.
// Order   Two barriers per channel block: each workgroup array is written, then read, then written again. Each sum runs
//         in one order, and so does reduce.wgsl: results are equal from run to run.
//
// Why this shape. It is the product of matmul.wgsl, with columns that are sampled when they are needed.
//   1. The tap is the outer loop. Position, corners and weights of a sample hold for every channel of a segment, so an
//      invocation owns a column and keeps its tap in registers, with the mask in the weights.
//   2. For each block of TILE_K channels the workgroup samples TILE_K × TILE_N values. An invocation takes every
//      PACK_LANES-th pack of four channels of its column. Neighbouring invocations read neighbouring pixels of one plane.
//   3. No load depends on a branch. A branch around a load makes a GPU wait for each load before it issues the next. So
//      an absent corner reads a neighbour and drops it, or reads a zero of the packed input. A column past the last and
//      an output channel past the last get whatever lies there, and neither is stored.
//   4. The product reads workgroup memory as vec4s: VECTORS_M + VECTORS_N reads for 16·VECTORS_M·VECTORS_N
//      multiply-adds. The vec4s of an invocation lie ROW_LANES or COLUMN_LANES apart, so that neighbours read
//      neighbours. The arrays have two dimensions, because the index of the second stays the same in the product's loop
//      and is checked outside it.
//   5. The sums have names, because sums that are indexed at run time would not stay in registers.
//   6. Every variant needs at most 16 KiB of workgroup memory and 256 invocations, which WebGPU's default limits allow.

//@ uses shared/taps shared/grid
//@ constant TILE_M Output channels of a tile.
//@ constant TILE_N Columns of a tile.
//@ constant VECTORS_M vec4s of output channels of one invocation.
//@ constant VECTORS_N vec4s of columns of one invocation.
//@ variant m128n128 TILE_M=128u TILE_N=128u VECTORS_M=2u VECTORS_N=2u uses forward/sample_input
//@ variant m128n64 TILE_M=128u TILE_N=64u VECTORS_M=2u VECTORS_N=2u uses forward/sample_input
//@ variant m64n64 TILE_M=64u TILE_N=64u VECTORS_M=2u VECTORS_N=2u uses forward/sample_input
//@ variant m32n64 TILE_M=32u TILE_N=64u VECTORS_M=1u VECTORS_N=1u uses forward/sample_input
//@ variant m32n32 TILE_M=32u TILE_N=32u VECTORS_M=1u VECTORS_N=1u uses forward/sample_input
//@ variant m128n128_packed TILE_M=128u TILE_N=128u VECTORS_M=2u VECTORS_N=2u uses forward/sample_packed_input
//@ variant m128n64_packed TILE_M=128u TILE_N=64u VECTORS_M=2u VECTORS_N=2u uses forward/sample_packed_input
//@ variant m64n64_packed TILE_M=64u TILE_N=64u VECTORS_M=2u VECTORS_N=2u uses forward/sample_packed_input
//@ variant m32n64_packed TILE_M=32u TILE_N=64u VECTORS_M=1u VECTORS_N=1u uses forward/sample_packed_input
//@ variant m32n32_packed TILE_M=32u TILE_N=32u VECTORS_M=1u VECTORS_N=1u uses forward/sample_packed_input

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// Segments of a weight group.
    segments_per_group: u32,
    /// Segments of an offset group.
    segments_per_offset_group: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// `segment_channels` rounded up to whole blocks: see pack_weight_rows.wgsl.
    padded_channels: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// `rows` rounded up to whole vec4s.
    padded_rows: u32,
    /// Columns of this step: images times output pixels.
    columns: u32,
    /// Tiles along the columns.
    column_tiles: u32,
    /// Tiles along a weight group's rows.
    row_tiles: u32,
    /// Weight groups.
    groups: u32,
    /// Parts of the sum. With more than one, the output is `partial`.
    splits: u32,
    /// Blocks of each part of the sum.
    blocks_per_split: u32,
    /// Elements between images of the input, or of the packed input.
    input_image_stride: u32,
    /// Elements between images of the offset.
    offset_image_stride: u32,
    /// Elements between images of the mask.
    mask_image_stride: u32,
    /// Elements between images of the output.
    output_image_stride: u32,
    /// Start of the first image in the bound input, in elements.
    input_base: u32,
    /// Start of the first image in the bound offset, in elements.
    offset_base: u32,
    /// Start of the first image in the bound mask, in elements.
    mask_base: u32,
    /// Start of the first image in the bound output, in elements.
    output_base: u32,
    /// 1 with a mask (v2), 0 without one (v1).
    has_mask: u32,
    /// 1 with a bias, 0 without one.
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(group, segment, tap, channel of the segment), out channel of the group / 4]
@group(0) @binding(2) var<storage, read> packed_weight: array<vec4<f32>>;
/// [image, (offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(3) var<storage, read> offset: array<offset_element>;
/// [image, (offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(4) var<storage, read> mask: array<mask_element>;
/// [out channel]
//@ operand
@group(0) @binding(5) var<storage, read> bias: array<bias_element>;
/// [image, out channel, out_height, out_width], or [split, out channel, (image, pixel)]
//@ operand
@group(0) @binding(6) var<storage, read_write> output: array<output_element>;

/// Channels of a block, which a tile multiplies at a time.
const TILE_K = 16u;
/// Invocations along the tile's output channels.
const ROW_LANES = TILE_M / VECTORS_M / 4u;
/// Invocations along the tile's columns.
const COLUMN_LANES = TILE_N / VECTORS_N / 4u;
const WORKGROUP_SIZE = ROW_LANES * COLUMN_LANES;
/// Packs of channels that the workgroup samples at a time.
const PACK_LANES = WORKGROUP_SIZE / TILE_N;
/// Packs of a block that one invocation samples.
const PACKS = TILE_K / 4u / PACK_LANES;
/// vec4s of a block's weights that one invocation loads.
const WEIGHTS = TILE_K * TILE_M / 4u / WORKGROUP_SIZE;

var<workgroup> weight_tile: array<array<vec4<f32>, TILE_M / 4u>, TILE_K>;
var<workgroup> sample_tile: array<array<vec4<f32>, TILE_N / 4u>, TILE_K>;

/// Returns a tap of a column, with the mask in its weights.
fn tap_at(column: u32, offset_group: u32, tap: u32) -> Tap {
    let image = column / params.geometry.out_pixels;
    let pixel = column % params.geometry.out_pixels;
    let whole = first_tap(pixel) + tap_step(tap);
    let pair = offset_group * params.geometry.taps + tap;
    let at = params.offset_base + image * params.offset_image_stride + 2u * pair * params.geometry.out_pixels + pixel;
    let position = moved(whole, at);
    var scale = 1.0;
    if params.has_mask != 0u {
        scale = read_mask(params.mask_base + image * params.mask_image_stride + pair * params.geometry.out_pixels + pixel);
    }
    return tap_in(image_start(image), position, scale);
}

/// Returns a vec4 of the weights of a block of TILE_K channels, whose first row in the packed weight is `row`.
fn weight_at(at: u32, row: u32, tile_row: u32) -> vec4<f32> {
    return packed_weight[(row + at / (TILE_M / 4u)) * (params.padded_rows / 4u) + tile_row / 4u + at % (TILE_M / 4u)];
}

/// Stores four neighbouring columns of one output channel. `row` is the channel, counted in its weight group.
fn store_four(split: u32, group: u32, row: u32, column: u32, sums: vec4<f32>) {
    if row < params.rows {
        store(split, group * params.rows + row, column, sums.x);
        store(split, group * params.rows + row, column + 1u, sums.y);
        store(split, group * params.rows + row, column + 2u, sums.z);
        store(split, group * params.rows + row, column + 3u, sums.w);
    }
}

fn store(split: u32, channel: u32, column: u32, sum: f32) {
    if column >= params.columns {
        return;
    }
    if params.splits > 1u {
        write_output((split * params.groups * params.rows + channel) * params.columns + column, sum);
        return;
    }
    var start = 0.0;
    if params.has_bias != 0u {
        start = read_bias(channel);
    }
    let image = column / params.geometry.out_pixels;
    write_output(params.output_base + image * params.output_image_stride + channel * params.geometry.out_pixels
        + column % params.geometry.out_pixels, start + sum);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup_number(workgroup, grid);
    let split = tile / params.column_tiles / params.row_tiles / params.groups;
    // Uniform in the workgroup, and so is every bound of a loop with a barrier.
    if split >= params.splits {
        return;
    }
    let group = tile / params.column_tiles / params.row_tiles % params.groups;
    let tile_row = tile / params.column_tiles % params.row_tiles * TILE_M;
    let tile_column = tile % params.column_tiles * TILE_N;
    let lane_row = lane / COLUMN_LANES;
    let lane_column = lane % COLUMN_LANES;
    // The column that the invocation samples.
    let column = tile_column + lane % TILE_N;
    let blocks_per_tap = params.padded_channels / TILE_K;
    let blocks = params.segments_per_group * params.geometry.taps * blocks_per_tap;
    var block = split * params.blocks_per_split;
    let block_end = min(block + params.blocks_per_split, blocks);
#for m in 0..4 * VECTORS_M
#for v in 0..VECTORS_N
    var s_{m}_{v} = vec4<f32>();
#end
#end
    while block < block_end {
        // `tap` counts the (segment, tap)s of the weight group. tap_end is where its blocks, or this split's, end.
        let tap = block / blocks_per_tap;
        let segment = group * params.segments_per_group + tap / params.geometry.taps;
        let tap_end = min((tap + 1u) * blocks_per_tap, block_end);
        let own = tap_at(column, segment / params.segments_per_offset_group, tap % params.geometry.taps);
        for (; block < tap_end; block++) {
            let first = block % blocks_per_tap * TILE_K;
            let row = group * blocks * TILE_K + tap * params.padded_channels + first;
            // All loads come before the first store, so that all of them are under way at once.
#for n in 0..PACKS
            let sample_{n} = sample_pack(own, segment, first / 4u + lane / TILE_N + {n}u * PACK_LANES);
#end
#for n in 0..WEIGHTS
            let weight_{n} = weight_at(lane + {n}u * WORKGROUP_SIZE, row, tile_row);
#end
#for n in 0..PACKS
#for c in 0..4
            sample_tile[4u * (lane / TILE_N + {n}u * PACK_LANES) + {c}u][lane % TILE_N / 4u][lane % 4u] = sample_{n}[{c}];
#end
#end
#for n in 0..WEIGHTS
            weight_tile[(lane + {n}u * WORKGROUP_SIZE) / (TILE_M / 4u)][lane % (TILE_M / 4u)] = weight_{n};
#end
            workgroupBarrier();
            for (var k = 0u; k < TILE_K; k++) {
#for m in 0..VECTORS_M
                let w_{m} = weight_tile[k][lane_row + {m}u * ROW_LANES];
#end
#for v in 0..VECTORS_N
                let v_{v} = sample_tile[k][lane_column + {v}u * COLUMN_LANES];
#end
#for m in 0..4 * VECTORS_M
#for v in 0..VECTORS_N
                s_{m}_{v} += w_{m / 4}[{m % 4}] * v_{v};
#end
#end
            }
            workgroupBarrier();
        }
    }
#for m in 0..4 * VECTORS_M
#for v in 0..VECTORS_N
    store_four(split, group, tile_row + 4u * (lane_row + {m / 4}u * ROW_LANES) + {m % 4}u, tile_column + 4u * (lane_column + {v}u * COLUMN_LANES), s_{m}_{v});
#end
#end
}
