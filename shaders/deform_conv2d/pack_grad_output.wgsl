// Packs the gradient of the output, of a window of one image's pixels: four channels a texel, blocks of 32 pixels.
//
//     packed_grad_output[(block, quad_start + n·quads + q, p)][l] = grad_output[n·rows + row_start + 4·q + l, 32·block + p]
//
// times the slope of the activation there (slope.wgsl). n numbers weight groups, or of a depth-wise convolution its offset groups, q quads
// of its rows output channels. What is no channel, or past the window's last pixel, is 0.
//
// Reads   grad_output and, behind an activation (ACTIVATED), output: the image.
// Writes  packed_grad_output: every texel of the window's blocks and this step's quads.
// Runs    One invocation owns 8 quads of a pixel, since a CPU driver divides lane by lane, as long as it packs a texel; a workgroup is 64 neighbours
//         in pixels. Grid: pixels fastest, then eights of quads, folded.
// Order   No barrier, no atomic.

struct PackGradOutputParams {
    rows: u32,
    quads: u32,
    part_quads: u32,
    quad_start: u32,
    all_quads: u32,
    row_start: u32,
    out_pixels: u32,
    first_pixel: u32,
    pixels: u32,
    padded_pixels: u32,
    grad_output_base: u32,
    output_base: u32,
    kind: u32,
}

@group(0) @binding(0) var<uniform> params: PackGradOutputParams;
/// [out channel, out_height, out_width]
@group(0) @binding(1) var<storage, read> grad_output: array<f32>;
/// As grad_output.
@group(0) @binding(2) var<storage, read> output: array<f32>;
/// [(block, group, quad, pixel of the block)], four channels of the quad
@group(0) @binding(3) var packed_grad_output: texture_storage_2d<rgba32float, write>;

const WORKGROUP_SIZE = 64u;
const BLOCK_PIXELS = 32u;
const QUADS_PER_INVOCATION = 8u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let pixel = number % params.padded_pixels;
    var quad_of_part = number / params.padded_pixels * QUADS_PER_INVOCATION;
    let end = min(quad_of_part + QUADS_PER_INVOCATION, params.part_quads);
    var group = quad_of_part / params.quads;
    var quad = quad_of_part % params.quads;
    let block = pixel / BLOCK_PIXELS * params.all_quads + params.quad_start;
    for (; quad_of_part < end; quad_of_part++) {
        let row = params.row_start + quad * 4u;
        var value = vec4<f32>();
        if pixel < params.pixels {
            let channel = group * params.rows + quad * 4u;
            let at = channel * params.out_pixels + params.first_pixel + pixel;
            value.x = linear_gradient(at);
            if row + 1u < params.rows { value.y = linear_gradient(at + params.out_pixels); }
            if row + 2u < params.rows { value.z = linear_gradient(at + 2u * params.out_pixels); }
            if row + 3u < params.rows { value.w = linear_gradient(at + 3u * params.out_pixels); }
        }
        let to = (block + quad_of_part) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
        textureStore(packed_grad_output, texel_at(to), value);
        let group_ends = quad + 1u == params.quads;
        quad = select(quad + 1u, 0u, group_ends);
        group += u32(group_ends);
    }
}
