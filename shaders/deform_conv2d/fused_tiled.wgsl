// Samples straight into the product, in tiles: the deformable convolution without a column buffer, for GPUs.
//
//     output[b, o, p] = bias[o] + Σ over segments s, taps t and channels n of   packed_weight[s, t, n][o] · mask · sample(b, p, s, t, n)
//
// A segment is a run of input channels that share their weight group and their offset group: see pack_weight_rows.wgsl.
//
// Reads   input, packed_weight, offset, mask (1 without one), bias (0 without one): the images of this step.
// Writes  output where there is one split; else partial[split]: the sum over the split's part of the (segment, tap, channel
//         block)s, for reduce.wgsl to add.
// Runs    A workgroup of ROW_LANES·COLUMN_LANES invocations owns a tile of TILE_M output channels × TILE_N columns (output
//         pixels, images one behind the other) of one weight group; an invocation owns VECTORS_M·4 × VECTORS_N·4 of it, in
//         registers. Grid: column tiles fastest, then row tiles, then weight groups, then splits, folded.
// Order   One barrier a tap and two a channel block: each of the workgroup's arrays is written, then read, then written again.
//         Each sum runs in one order, and so does reduce: the result is the same from run to run.
//
// Why this shape. It is matmul.wgsl's product, whose columns are sampled when they are needed.
//   1. The tap is the outer loop. Position, corners and weights of a sample hold for every channel of a segment, so TILE_N
//      invocations compute them once a tap into workgroup memory (`taps`), with the mask in the weights.
//   2. For each block of TILE_K channels the workgroup samples TILE_K × TILE_N values: an invocation takes four neighbouring
//      columns and every so-many-th channel, and stores a vec4. Neighbouring invocations take neighbouring pixels of one plane.
//   3. The product reads workgroup memory as vec4s: (VECTORS_M + VECTORS_N) reads for 16·VECTORS_M·VECTORS_N multiply-adds. An
//      invocation's vec4s lie ROW_LANES or COLUMN_LANES apart, so that neighbours read neighbours.
// `main` is written by src/kernel/unroll.rs: sums that are indexed at run time would not stay in registers.
// Tile constants stand in the catalogue, a variant each; none takes more than 14 KiB of workgroup memory or 256 invocations.

struct FusedTiledParams {
    geometry: TapGeometry,
    segments_per_group: u32,
    segments_per_offset_group: u32,
    segment_channels: u32,
    padded_channels: u32,
    rows: u32,
    padded_rows: u32,
    columns: u32,
    column_tiles: u32,
    row_tiles: u32,
    groups: u32,
    splits: u32,
    blocks_per_split: u32,
    input_image_stride: u32,
    offset_image_stride: u32,
    mask_image_stride: u32,
    output_image_stride: u32,
    input_base: u32,
    offset_base: u32,
    mask_base: u32,
    output_base: u32,
    has_mask: u32,
    has_bias: u32,
}

@group(0) @binding(0) var<uniform> params: FusedTiledParams;
/// [image, channel, in_height, in_width]
@group(0) @binding(1) var<storage, read> input: array<f32>;
/// [(group, segment, tap, channel of the segment), out channel of the group / 4]
@group(0) @binding(2) var<storage, read> packed_weight: array<vec4<f32>>;
/// [image, (offset group, tap, y|x), out_height, out_width]
@group(0) @binding(3) var<storage, read> offset: array<f32>;
/// [image, (offset group, tap), out_height, out_width]
@group(0) @binding(4) var<storage, read> mask: array<f32>;
/// [out channel]
@group(0) @binding(5) var<storage, read> bias: array<f32>;
/// [image, out channel, out_height, out_width], or [split, out channel, (image, pixel)]
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

const WORKGROUP_SIZE = ROW_LANES * COLUMN_LANES;
/// Invocations side by side that sample the same channel.
const SAMPLE_LANES = TILE_N / 4u;
/// Channels that the workgroup samples at a time, and how often it does.
const SAMPLE_ROWS = WORKGROUP_SIZE / SAMPLE_LANES;
const SAMPLES = TILE_K / SAMPLE_ROWS;
/// An index with this bit is no corner of the image.
const ABSENT = 0x80000000u;

/// One tap of one column.
struct Tap {
    /// Indices of the corners (y0,x0) (y0,x1) (y1,x0) (y1,x1) from the image's first channel, or ABSENT.
    index: vec4<u32>,
    /// Their weights, times the mask.
    weight: vec4<f32>,
}

var<workgroup> taps: array<Tap, TILE_N>;
/// [TILE_K][TILE_M / 4]
var<workgroup> weight_tile: array<vec4<f32>, TILE_K * TILE_M / 4u>;
/// [TILE_K][TILE_N / 4]
var<workgroup> sample_tile: array<vec4<f32>, TILE_K * TILE_N / 4u>;

/// One tap of one column; of a column past the last, nothing.
fn tap_at(column: u32, offset_group: u32, tap: u32) -> Tap {
    if column >= params.columns {
        return Tap(vec4<u32>(ABSENT), vec4<f32>());
    }
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
    let corners = corners_at(position.y, position.x, params.geometry.in_height, params.geometry.in_width);
    let start = params.input_base + image * params.input_image_stride;
    let present = select(vec4<bool>(), corners.present, corners.inside);
    return Tap(select(vec4<u32>(ABSENT), start + corners.index, present), scale * corners.weight);
}

/// An absent corner is left out, not multiplied by 0: what lies at its index may be infinite. The mask still counts.
fn corner(index: u32, plane: u32) -> f32 {
    if index == ABSENT {
        return 0.0;
    }
    return read_input(index + plane);
}

fn sample(tap: Tap, plane: u32) -> f32 {
    if !DEFORMED {
        return corner(tap.index.x, plane);
    }
    return tap.weight.x * corner(tap.index.x, plane) + tap.weight.y * corner(tap.index.y, plane)
        + tap.weight.z * corner(tap.index.z, plane) + tap.weight.w * corner(tap.index.w, plane);
}

/// Channels `first` to `first + TILE_K` of the segment, at the tile's columns.
fn load_samples(lane: u32, first: u32, first_plane: u32) {
    let quad = lane % SAMPLE_LANES;
    let tap_0 = taps[4u * quad];
    let tap_1 = taps[4u * quad + 1u];
    let tap_2 = taps[4u * quad + 2u];
    let tap_3 = taps[4u * quad + 3u];
    for (var n = 0u; n < SAMPLES; n++) {
        let k = n * SAMPLE_ROWS + lane / SAMPLE_LANES;
        var value = vec4<f32>();
        if first + k < params.segment_channels {
            let plane = (first_plane + first + k) * params.geometry.in_height * params.geometry.in_width;
            value = vec4<f32>(sample(tap_0, plane), sample(tap_1, plane), sample(tap_2, plane), sample(tap_3, plane));
        }
        sample_tile[k * SAMPLE_LANES + quad] = value;
    }
}

/// TILE_K rows of the packed weight from `row`, the tile's output channels of each.
fn load_weight(lane: u32, row: u32, tile_row: u32) {
    for (var at = lane; at < TILE_K * TILE_M / 4u; at += WORKGROUP_SIZE) {
        let o = tile_row / 4u + at % (TILE_M / 4u);
        var value = vec4<f32>();
        if o < params.padded_rows / 4u {
            value = packed_weight[(row + at / (TILE_M / 4u)) * (params.padded_rows / 4u) + o];
        }
        weight_tile[at] = value;
    }
}

/// Four neighbouring columns of one output channel; `row` counts in the weight group.
fn store_quad(split: u32, group: u32, row: u32, column: u32, sums: vec4<f32>) {
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
