// Packs where the taps of a window of one image's pixels lie, once for all that sample there or scatter to it.
//
//     packed_taps[g, t, p] = (column, y, x, mask)        column = t·column_stride + p
//
// Positions are pixels of the input. A tap that touches none, even at exactly −1, and the padding pixels after the window's last, are at
// y = −1, x = in_width: right of the image, where there are only zeros (see packed_taps.wgsl).
//
// Reads   offset, mask (1 without one).
// Writes  packed_taps, padding pixels included.
// Runs    One invocation is TAPS_PER_INVOCATION taps of one pixel of one offset group; a workgroup is 64 neighbours. Grid: pixels fastest,
//         then blocks of taps, then offset groups, folded.
// Order   No barrier, no atomic.
//
// Why this shape. CPU drivers read a texel in a quarter of the time that three elements of storage buffers take, and divide lane by lane: so
// that is done once for a pixel and not wherever a tap is needed.

//@ uses shared/taps shared/texels shared/grid

struct Params {
    /// Where taps sample.
    geometry: TapGeometry,
    /// First output pixel of the window.
    first_pixel: u32,
    /// Output pixels of the window.
    pixels: u32,
    /// The same, filled up to whole blocks.
    padded_pixels: u32,
    /// Numbers of columns between taps.
    column_stride: u32,
    /// Blocks of taps.
    tap_blocks: u32,
    /// Invocations with something to do.
    invocations: u32,
    /// Where this step's offset groups start in the bound offset.
    offset_base: u32,
    /// Where they start in the bound mask.
    mask_base: u32,
    /// 1 where there is a mask (v2), 0 where there is none (v1).
    has_mask: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(offset group, tap, y|x), out_height, out_width]
//@ operand
@group(0) @binding(1) var<storage, read> offset: array<offset_element>;
/// [(offset group, tap), out_height, out_width]
//@ operand
@group(0) @binding(2) var<storage, read> mask: array<mask_element>;
/// [(offset group, tap, pixel)], (column, y, x, mask)
@group(0) @binding(3) var packed_taps: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
/// Taps of one invocation, at the most.
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
    // Padding pixels read what the last one reads.
    let pixel = params.first_pixel + min(padded, params.pixels - 1u);
    let start = first_tap(pixel);
    var step = vec2<u32>(first % params.geometry.kernel_width, first / params.geometry.kernel_width);
    var plane = group * params.geometry.taps + first;
    let end = select(plane, plane + min(TAPS_PER_INVOCATION, params.geometry.taps - first), busy);
    var column = first * params.column_stride + padded;
    for (; plane < end; plane++) {
        let at = plane * params.geometry.out_pixels + pixel;
        let position = moved(
            start + vec2<i32>(step * vec2<u32>(params.geometry.dil_w, params.geometry.dil_h)),
            params.offset_base + at + plane * params.geometry.out_pixels,
        );
        var scale = 1.0;
        if params.has_mask != 0u {
            scale = read_mask(params.mask_base + at);
        }
        let near = padded < params.pixels
            && position.y >= -1.0 && position.y < f32(params.geometry.in_height)
            && position.x >= -1.0 && position.x < f32(params.geometry.in_width);
        textureStore(
            packed_taps,
            texel_at(plane * params.padded_pixels + padded),
            vec4<f32>(
                f32(column),
                select(-1.0, position.y, near),
                select(f32(params.geometry.in_width), position.x, near),
                scale,
            ),
        );
        column += params.column_stride;
        let ends = step.x + 1u == params.geometry.kernel_width;
        step = vec2<u32>(select(step.x + 1u, 0u, ends), step.y + u32(ends));
    }
}
