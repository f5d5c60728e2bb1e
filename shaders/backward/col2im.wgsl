// Computes the gradient of an ordinary convolution's input from the gradients of its columns.
//
//     grad_input[b, c, y, x] += Σ over the taps (i, j) of   grad_column[c, tap, (b, oy, ox)]
//     oy = (y + pad_h − i·dil_h) / stride_h,   ox = (x + pad_w − j·dil_w) / stride_w          if both divide exactly and (b, oy, ox) lies in the part
//
// Reads   grad_column.
// Writes  grad_input: adds to it.
// Runs    One invocation owns four channels of one input pixel; a workgroup is 32 of them. Grid: packs fastest, then
//         pixels, then images, folded.
// Order   No barrier, no atomic. The taps of a pixel are added in order, and the parts step by step.
//
// Why this shape. Without offsets each pixel knows which columns read it, so it gathers them, and nothing is sorted.
// Neighbouring invocations take the packs of one pixel, eight of which are neighbours in grad_column.

//@ uses shared/tap_geometry backward/columns_layout backward/add_channels shared/grid

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// First output pixel of the part in its first image.
    first_pixel: u32,
    /// Output pixels of the part, of all its images.
    pixels: u32,
    /// `pixels` rounded up to whole blocks.
    padded_pixels: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// First pack of each segment in this step.
    pack_start: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Invocations that have work; the rest of the grid is idle.
    invocations: u32,
    /// Elements between images of the gradient.
    image_stride: u32,
    /// Start of this step's channels in the bound gradient, in elements.
    grad_input_base: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(block of packs, tap, pixel, pack)], four channels of the pack: columns_layout.wgsl
@group(0) @binding(1) var<storage, read> grad_column: array<vec4<f32>>;
/// [image, (segment, channel), in_height, in_width]
@group(0) @binding(2) var<storage, read_write> grad_input: array<f32>;

const WORKGROUP_SIZE = 32u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let busy = number < params.invocations;
    let pack = number % params.packs;
    let size = params.geometry.in_height * params.geometry.in_width;
    let image = number / params.packs / size;
    let pixel = number / params.packs - image * size;
    let y = i32(pixel / params.geometry.in_width + params.geometry.pad_h);
    let x = i32(pixel % params.geometry.in_width + params.geometry.pad_w);
    let stride = vec2<i32>(vec2<u32>(params.geometry.stride_w, params.geometry.stride_h));
    let out_height = params.geometry.out_pixels / params.geometry.out_width;
    let of_pack = columns_of(pack, params.packs, params.geometry.taps * params.padded_pixels);
    var sum = vec4<f32>();
    // The column of the tap's first pixel, and the tap (i, j). They are counted up, because a division is expensive.
    var first = 0u;
    var i = 0u;
    var j = 0u;
    let taps = select(0u, params.geometry.taps, busy);
    for (var tap = 0u; tap < taps; tap++) {
        let position = vec2<i32>(x, y) - vec2<i32>(vec2<u32>(j * params.geometry.dil_w, i * params.geometry.dil_h));
        let at = position / stride;
        // The number of the output pixel in the part. It means nothing if (oy, ox) is no output pixel; `there` tells.
        let out_pixel = image * params.geometry.out_pixels + u32(at.y) * params.geometry.out_width + u32(at.x)
            - params.first_pixel;
        let there = position.x >= 0 && position.y >= 0 && all(at * stride == position)
            && u32(at.x) < params.geometry.out_width && u32(at.y) < out_height && out_pixel < params.pixels;
        let column = first + select(0u, out_pixel, there);
        let value = grad_column[column_index(of_pack, column)];
        sum += select(vec4<f32>(), value, there);
        first += params.padded_pixels;
        j++;
        if j == params.geometry.kernel_width {
            j = 0u;
            i++;
        }
    }
    if !busy {
        return;
    }
    let segment = pack / params.segment_packs;
    let in_segment = pack % params.segment_packs;
    // The bound gradient starts at the first channel of pack `pack_start`.
    let plane = segment * params.segment_channels + in_segment * 4u;
    let channels = params.segment_channels - (params.pack_start + in_segment) * 4u;
    add_channels(params.grad_input_base + image * params.image_stride + plane * size + pixel, size, channels, sum);
}
