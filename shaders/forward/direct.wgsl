// Computes outputs one by one, without a product and without memory for intermediate results: for weight groups of few
// channels.
//
//     output[b, o, p] = bias[o] + Σ over the channels n of o's weight group and the taps t of   weight[o, n, t] · mask · sample(b, p, c(o, n), t)
//
// Reads   input, weight, offset, mask (1 without one), bias (0 without one): this step's images.
// Writes  output.
// Runs    One invocation owns one output pixel of OUT_CHANNELS consecutive output channels; a workgroup is 64
//         neighbouring pixels. Grid: blocks of columns fastest, then blocks of output channels, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. A tile of a product needs many output channels that use the same samples; a weight group of few
// channels has few. Positions can be shared instead: consecutive output channels mostly have one offset group. An
// invocation walks through OUT_CHANNELS of them, and computes a position or a sample only where it differs from the
// previous channel's. All lanes of a workgroup take the same branch there, since it depends on the output channel and
// not on the pixel.

//@ uses shared/taps shared/bilinear shared/grid

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// Input channels of a weight group.
    channels_per_group: u32,
    /// Input channels that share an offset group.
    channels_per_offset_group: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// Output channels.
    out_channels: u32,
    /// Columns of this step: images times output pixels.
    columns: u32,
    /// Workgroups along the columns, one per block of columns.
    column_blocks: u32,
    /// Elements between images of the input.
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
/// [image, channel, in_height, in_width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;
/// [out channel, channel of the group, tap]
//@ operand
@group(0) @binding(2) var<storage, read> weight: array<weight_element>;
/// [image, (offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(3) var<storage, read> offset: array<offset_element>;
/// [image, (offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(4) var<storage, read> mask: array<mask_element>;
/// [out channel]
//@ operand
@group(0) @binding(5) var<storage, read> bias: array<bias_element>;
/// [image, out channel, out_height, out_width]
//@ operand
@group(0) @binding(6) var<storage, read_write> output: array<output_element>;

const WORKGROUP_SIZE = 64u;
/// Consecutive output channels of one invocation.
const OUT_CHANNELS = 4u;
// `sums` is a vec4 with a component for each.
const_assert OUT_CHANNELS == 4u;
/// A number that no channel and no group has.
const NONE = 0xffffffffu;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    let column = number % params.column_blocks * WORKGROUP_SIZE + lane;
    let first = number / params.column_blocks * OUT_CHANNELS;
    if column >= params.columns {
        return;
    }
    let image = column / params.geometry.out_pixels;
    let pixel = column % params.geometry.out_pixels;
    let start = first_tap(pixel);
    let input_start = params.input_base + image * params.input_image_stride;
    let plane_size = params.geometry.in_height * params.geometry.in_width;
    let end = min(first + OUT_CHANNELS, params.out_channels);

    var sums = vec4<f32>();
    for (var tap = 0u; tap < params.geometry.taps; tap++) {
        let whole = start + tap_step(tap);
        var offset_group = NONE;
        var corners: Corners;
        var scale = 1.0;
        for (var n = 0u; n < params.channels_per_group; n++) {
            var channel = NONE;
            var value = 0.0;
            for (var o = first; o < end; o++) {
                let wanted = o / params.rows * params.channels_per_group + n;
                if wanted / params.channels_per_offset_group != offset_group {
                    offset_group = wanted / params.channels_per_offset_group;
                    let plane = (offset_group * params.geometry.taps + tap) * params.geometry.out_pixels;
                    let at = params.offset_base + image * params.offset_image_stride + 2u * plane + pixel;
                    let position = moved(whole, at);
                    corners = corners_at(position.y, position.x, params.geometry.in_height, params.geometry.in_width);
                    if params.has_mask != 0u {
                        scale = read_mask(params.mask_base + image * params.mask_image_stride + plane + pixel);
                    }
                }
                if wanted != channel {
                    channel = wanted;
                    value = 0.0;
                    if corners.inside {
                        let at = input_start + channel * plane_size + corners.index;
                        if DEFORMED {
                            value = interpolate(corners, vec4<f32>(read_input(at.x), read_input(at.y), read_input(at.z), read_input(at.w)));
                        } else {
                            value = read_input(at.x);
                        }
                    }
                    value *= scale;
                }
                let w = read_weight((o * params.channels_per_group + n) * params.geometry.taps + tap);
                // A select for each component: a vector that is indexed at run time lies in memory.
                sums += select(vec4<f32>(), vec4<f32>(w * value), vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(o - first));
            }
        }
    }

    let at = params.output_base + image * params.output_image_stride + first * params.geometry.out_pixels + pixel;
    store(at, first, end, 0u, sums.x);
    store(at, first, end, 1u, sums.y);
    store(at, first, end, 2u, sums.z);
    store(at, first, end, 3u, sums.w);
}

fn store(at: u32, first: u32, end: u32, n: u32, sum: f32) {
    if first + n < end {
        var start = 0.0;
        if params.has_bias != 0u {
            start = read_bias(first + n);
        }
        write_output(at + n * params.geometry.out_pixels, start + sum);
    }
}
