// Multiplies the weight by the columns, in tiles: the convolution's sum over channels and taps.
//
//     output[b, o, p] = bias[o] + Σ_k weight[o, k] · columns[k, (b, p)]          k = (channel of the weight group, tap)
//
// Where the sum over k is split among several steps, each later step adds its part to the output.
//
// Reads   weight, columns, bias (0 without one); output, if the step accumulates.
// Writes  output: this step's rows, this chunk's pixels.
// Runs    A workgroup of 64 owns one tile of TILE_M output channels × TILE_N pixels of one weight group; an invocation
//         owns 8×8 outputs of the tile. Grid: column tiles fastest, then row tiles, then weight groups, folded.
// Order   Two barriers per TILE_K rows: load before use, and use before the next load. One invocation sums each output
//         in the order of k: results are equal from run to run.
//
// Why this shape. The plain loop makes 2·depth reads for depth multiply-adds per output, and memory is far slower than
// arithmetic.
//   1. The workgroup loads a TILE_M×TILE_K piece of the weight and a TILE_K×TILE_N piece of the columns into workgroup
//      memory once for all its 4,096 outputs. This makes 64 times fewer reads of storage.
//   2. An invocation keeps 8×8 sums in registers and makes 64 multiply-adds for four vec4s of workgroup memory. The
//      vec4s lie SIDE apart, so that neighbours read neighbours. The arrays have two dimensions: see fused_tiled.wgsl.
//   3. Lanes run along the rows of memory when they load: along k for the weight, along the pixels for the columns.
//   4. No load depends on a branch: see fused_tiled.wgsl. What lies past the last k counts as 0. Rows and columns past the
//      last get some value and are not stored.

//@ uses shared/grid

struct Params {
    /// Output channels of each weight group in this step.
    rows: u32,
    /// Columns of the column buffer.
    columns_width: u32,
    /// Column rows of each weight group in this step.
    depth: u32,
    /// Tiles along the rows.
    row_tiles: u32,
    /// Tiles along the columns.
    column_tiles: u32,
    /// Tiles of all weight groups of this step.
    tiles: u32,
    /// Output pixels of this chunk in each image.
    pixels: u32,
    /// Elements between rows of the weight.
    weight_row_stride: u32,
    /// Elements between weight groups in the weight.
    weight_group_stride: u32,
    /// Elements between weight groups in the column buffer.
    columns_group_stride: u32,
    /// Elements between rows of the output, one plane.
    output_row_stride: u32,
    /// Elements between weight groups in the output.
    output_group_stride: u32,
    /// Elements between images of the output.
    output_image_stride: u32,
    /// Start of this step's weights in the bound weight, in elements.
    weight_base: u32,
    /// Start of this step's rows in the bound column buffer, in elements.
    columns_base: u32,
    /// Start of this step's outputs in the bound output, in elements.
    output_base: u32,
    /// Start of this step's bias in the bound bias, in elements.
    bias_base: u32,
    /// Elements between weight groups in the bias.
    bias_group_stride: u32,
    /// 1 with a bias, 0 without one.
    has_bias: u32,
    /// 1 to add to what earlier steps wrote, 0 to start from the bias.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(weight group, output channel), (channel of the group, tap)]
//@ operand
@group(0) @binding(1) var<storage, read> weight: array<weight_element>;
/// [(weight group, channel of the group, tap), (image, pixel)]
@group(0) @binding(2) var<storage, read> columns: array<f32>;
/// [(weight group, output channel)]
//@ operand
@group(0) @binding(3) var<storage, read> bias: array<bias_element>;
/// [image, (weight group, output channel), pixel]
//@ operand
@group(0) @binding(4) var<storage, read_write> output: array<output_element>;

const WORKGROUP_SIZE = 64u;
/// Output channels of a tile.
const TILE_M = 64u;
/// Pixels of a tile.
const TILE_N = 64u;
/// Column rows that a tile multiplies at a time.
const TILE_K = 16u;
/// Elements of each operand's tile that one invocation loads.
const LOADS_PER_INVOCATION = TILE_M * TILE_K / WORKGROUP_SIZE;
/// The workgroup is a square of SIDE × SIDE invocations, each with two vec4s of rows and two of columns.
const SIDE = 8u;
const_assert TILE_M == 8u * SIDE && TILE_N == 8u * SIDE && WORKGROUP_SIZE == SIDE * SIDE;

var<workgroup> weight_tile: array<array<vec4<f32>, TILE_M / 4u>, TILE_K>;
var<workgroup> columns_tile: array<array<vec4<f32>, TILE_N / 4u>, TILE_K>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let tile = workgroup_number(workgroup, grid);
    // Uniform in the workgroup, so all of its invocations reach the barriers inside, or none does.
    if tile < params.tiles {
        multiply_tile(tile, lane);
    }
}

fn multiply_tile(tile: u32, lane: u32) {
    let column_start = (tile % params.column_tiles) * TILE_N;
    let row_start = (tile / params.column_tiles % params.row_tiles) * TILE_M;
    let group = tile / params.column_tiles / params.row_tiles;
    let weight_start = params.weight_base + group * params.weight_group_stride;
    let columns_start = params.columns_base + group * params.columns_group_stride;

    let lane_row = lane / SIDE;
    let lane_column = lane % SIDE;
    // A lane loads one k of the weight and one column of the columns.
    let weight_k = lane % TILE_K;
    let weight_row = lane / TILE_K;
#for m in 0..8
#for v in 0..2
    var s_{m}_{v} = vec4<f32>();
#end
#end
    for (var k_start = 0u; k_start < params.depth; k_start += TILE_K) {
        let weight_at = weight_start + row_start * params.weight_row_stride + k_start + weight_k;
        let columns_at = columns_start + k_start * params.columns_width + column_start + lane;
        // All loads come before the first store, so that all of them are under way at once.
#for n in 0..LOADS_PER_INVOCATION
        let w_{n} = read_weight(weight_at + (weight_row + {n}u * WORKGROUP_SIZE / TILE_K) * params.weight_row_stride);
#end
#for n in 0..LOADS_PER_INVOCATION
        let v_{n} = columns[columns_at + {n}u * params.columns_width];
#end
#for n in 0..LOADS_PER_INVOCATION
        weight_tile[weight_k][(weight_row + {n}u * WORKGROUP_SIZE / TILE_K) / 4u][weight_row % 4u] = select(0.0, w_{n}, k_start + weight_k < params.depth);
        columns_tile[{n}][lane / 4u][lane % 4u] = select(0.0, v_{n}, k_start + {n}u < params.depth);
#end
        workgroupBarrier();
        for (var k = 0u; k < TILE_K; k++) {
#for m in 0..2
            let w_{m} = weight_tile[k][lane_row + {m}u * SIDE];
#end
#for v in 0..2
            let v_{v} = columns_tile[k][lane_column + {v}u * SIDE];
#end
#for m in 0..8
#for v in 0..2
            s_{m}_{v} += w_{m / 4}[{m % 4}] * v_{v};
#end
#end
        }
        workgroupBarrier();
    }
#for m in 0..8
#for v in 0..2
    store_four(group, row_start + 4u * (lane_row + {m / 4}u * SIDE) + {m % 4}u, column_start + 4u * (lane_column + {v}u * SIDE), s_{m}_{v});
#end
#end
}

/// Stores four neighbouring columns of a row.
fn store_four(group: u32, row: u32, column: u32, sums: vec4<f32>) {
    store(group, row, column, sums.x);
    store(group, row, column + 1u, sums.y);
    store(group, row, column + 2u, sums.z);
    store(group, row, column + 3u, sums.w);
}

fn store(group: u32, row: u32, column: u32, sum: f32) {
    if row < params.rows && column < params.columns_width {
        let image = column / params.pixels;
        let at = params.output_base + image * params.output_image_stride + group * params.output_group_stride
            + row * params.output_row_stride + column % params.pixels;
        var start = 0.0;
        if params.accumulate != 0u {
            start = read_output(at);
        } else if params.has_bias != 0u {
            start = read_bias(params.bias_base + group * params.bias_group_stride + row);
        }
        write_output(at, start + sum);
    }
}
