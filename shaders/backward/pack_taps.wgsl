// Packs the taps of a part's pixels: computes each position once for all kernels that sample there or add
// there.
//
//     packed_taps[g, t, p] = (row, y, x, mask)          row = b·(rows + 1) − row_start
//
// b is the image of pixel p, counted from the part's first. The packed input has the `rows` rows from row_start on of
// each image: see pack_input.wgsl.
//
// Positions are in pixels of the input. A tap none of whose corners lies in these rows and in the image's columns gets
// y = −1 and x = in_width, and row_start counts as 0. That is right of the image, where the packed input holds zeros. So
// do the padding pixels behind the last pixel. A tap at exactly −1 keeps its position. See packed_taps.wgsl.
//
// Reads   offset, mask (1 without one).
// Writes  packed_taps, padding pixels included.
// Runs    One invocation owns up to TAPS_PER_INVOCATION taps of one pixel of one offset group; a workgroup is 64
//         neighbours. Grid: pixels fastest, then blocks of taps, then offset groups, folded.
// Order   No barrier, no atomic.
//
// Why this shape. A CPU driver reads a texel in a quarter of the time that three elements of storage buffers take. It
// divides lane by lane, so the divisions are done once per pixel here and not wherever a tap is needed.

//@ uses shared/taps shared/texels shared/grid

struct Params {
    /// Geometry of the taps.
    geometry: TapGeometry,
    /// First row of the packed input.
    row_start: u32,
    /// Rows of each image in the packed input.
    rows: u32,
    /// First output pixel of the part in its first image.
    first_pixel: u32,
    /// Output pixels of the part, of all its images.
    pixels: u32,
    /// `pixels` rounded up to whole blocks.
    padded_pixels: u32,
    /// Blocks of taps of a kernel.
    tap_blocks: u32,
    /// Invocations that have work; the rest of the grid is idle.
    invocations: u32,
    /// Elements between images of the offset.
    offset_image_stride: u32,
    /// Elements between images of the mask.
    mask_image_stride: u32,
    /// Start of this step's offset groups in the bound offset, in elements.
    offset_base: u32,
    /// Start of this step's offset groups in the bound mask, in elements.
    mask_base: u32,
    /// 1 with a mask (v2), 0 without one (v1).
    has_mask: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [image, (offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(1) var<storage, read> offset: array<offset_element>;
/// [image, (offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(2) var<storage, read> mask: array<mask_element>;
/// [(offset group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(3) var packed_taps: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
/// The largest number of taps of one invocation.
const TAPS_PER_INVOCATION = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let busy = number < params.invocations;
    let block = number / params.padded_pixels;
    let padded = number - block * params.padded_pixels;
    let group = block / params.tap_blocks;
    let first = (block - group * params.tap_blocks) * TAPS_PER_INVOCATION;
    // Padding pixels read the offset and the mask of the last pixel.
    let real = padded < params.pixels;
    let number_of_pixel = params.first_pixel + min(padded, params.pixels - 1u);
    let image = number_of_pixel / params.geometry.out_pixels;
    let pixel = number_of_pixel - image * params.geometry.out_pixels;
    let offset_start = params.offset_base + image * params.offset_image_stride + pixel;
    let mask_start = params.mask_base + image * params.mask_image_stride + pixel;
    let start = first_tap(pixel);
    var step = vec2<u32>(first % params.geometry.kernel_width, first / params.geometry.kernel_width);
    var plane = group * params.geometry.taps + first;
    let end = select(plane, plane + min(TAPS_PER_INVOCATION, params.geometry.taps - first), busy);
    for (; plane < end; plane++) {
        let position = moved(
            start + vec2<i32>(step * vec2<u32>(params.geometry.dil_w, params.geometry.dil_h)),
            offset_start + 2u * plane * params.geometry.out_pixels,
        );
        var scale = 1.0;
        if params.has_mask != 0u {
            scale = read_mask(mask_start + plane * params.geometry.out_pixels);
        }
        let near = real
            && position.y >= f32(params.row_start) - 1.0 && position.y < f32(params.row_start + params.rows)
            && position.x >= -1.0 && position.x < f32(params.geometry.in_width);
        textureStore(
            packed_taps,
            texel_at(plane * params.padded_pixels + padded),
            vec4<f32>(
                f32(image * (params.rows + 1u)) - select(0.0, f32(params.row_start), near),
                select(-1.0, position.y, near),
                select(f32(params.geometry.in_width), position.x, near),
                select(0.0, scale, real),
            ),
        );
        let ends = step.x + 1u == params.geometry.kernel_width;
        step = vec2<u32>(select(step.x + 1u, 0u, ends), step.y + u32(ends));
    }
}
