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
//   2. An invocation keeps 8×8 sums in registers and makes 64 multiply-adds for 16 reads of workgroup memory.
//   3. Lanes run along the rows of memory when they load: along k for the weight, along the pixels for the columns. The
//      eight pixels of an invocation lie SIDE apart, so that SIDE lanes store neighbouring outputs.
//   4. At the edges, elements outside the matrices are loaded as 0 and add nothing, and only outputs inside are stored.

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
/// The workgroup is a square of SIDE × SIDE invocations. So are the outputs of an invocation: SIDE channels × SIDE
/// pixels.
const SIDE = 8u;
// The outputs of a row are two vec4s, and the tiles have a row or a column for each output of a square.
const_assert SIDE == 8u && TILE_M == SIDE * SIDE && TILE_N == SIDE * SIDE && WORKGROUP_SIZE == SIDE * SIDE;

/// [TILE_K][TILE_M]
var<workgroup> weight_tile: array<f32, TILE_K * TILE_M>;
/// [TILE_K][TILE_N]
var<workgroup> columns_tile: array<f32, TILE_K * TILE_N>;

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

    let lane_row = SIDE * (lane / SIDE);
    let lane_column = lane % SIDE;
    // Row i of this invocation's outputs is sums[2·i] and sums[2·i + 1]. Every index is a constant, because a variable
    // index would move the sums from registers into memory.
    var sums = array<vec4<f32>, 16>();

    for (var k_start = 0u; k_start < params.depth; k_start += TILE_K) {
        for (var load = 0u; load < LOADS_PER_INVOCATION; load++) {
            let element = load * WORKGROUP_SIZE + lane;
            let weight_k = element % TILE_K;
            let weight_row = element / TILE_K;
            var w = 0.0;
            if row_start + weight_row < params.rows && k_start + weight_k < params.depth {
                w = read_weight(weight_start + (row_start + weight_row) * params.weight_row_stride + k_start + weight_k);
            }
            weight_tile[weight_k * TILE_M + weight_row] = w;

            let columns_k = element / TILE_N;
            let columns_column = element % TILE_N;
            var v = 0.0;
            if column_start + columns_column < params.columns_width && k_start + columns_k < params.depth {
                v = columns[columns_start + (k_start + columns_k) * params.columns_width + column_start + columns_column];
            }
            columns_tile[columns_k * TILE_N + columns_column] = v;
        }
        workgroupBarrier();
        for (var k = 0u; k < TILE_K; k++) {
            let n = k * TILE_N + lane_column;
            let v0 = vec4<f32>(
                columns_tile[n],
                columns_tile[n + SIDE],
                columns_tile[n + 2u * SIDE],
                columns_tile[n + 3u * SIDE],
            );
            let v1 = vec4<f32>(
                columns_tile[n + 4u * SIDE],
                columns_tile[n + 5u * SIDE],
                columns_tile[n + 6u * SIDE],
                columns_tile[n + 7u * SIDE],
            );
            let row = k * TILE_M + lane_row;
#for i in 0..SIDE
            let w{i} = weight_tile[row + {i}u];
            sums[{2 * i}] += w{i} * v0;
            sums[{2 * i + 1}] += w{i} * v1;
#end
        }
        workgroupBarrier();
    }

    let row = row_start + lane_row;
    let column = column_start + lane_column;
#for i in 0..SIDE
    store_row(group, row + {i}u, column, sums[{2 * i}], sums[{2 * i + 1}]);
#end
}

fn store_row(group: u32, row: u32, column: u32, left: vec4<f32>, right: vec4<f32>) {
    store(group, row, column, left.x);
    store(group, row, column + SIDE, left.y);
    store(group, row, column + 2u * SIDE, left.z);
    store(group, row, column + 3u * SIDE, left.w);
    store(group, row, column + 4u * SIDE, right.x);
    store(group, row, column + 5u * SIDE, right.y);
    store(group, row, column + 6u * SIDE, right.z);
    store(group, row, column + 7u * SIDE, right.w);
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
