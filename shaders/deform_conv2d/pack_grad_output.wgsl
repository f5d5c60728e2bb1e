// Packs the gradient of the output, of a window of one image's pixels: four channels a texel, blocks of 32 pixels.
//
//     packed_grad_output[(block, quad_start + n·quads + q, p)][l] = grad_output[n·rows + row_start + 4·q + l, 32·block + p]
//
// times the slope of the activation there (slope.wgsl). n numbers weight groups, or of a depth-wise convolution its offset groups, q quads
// of its rows output channels. What is no channel, or past the window's last pixel, is 0.
//
// Reads   grad_output and, behind an activation (ACTIVATED), output: the image.
// Writes  packed_grad_output: every texel of the window's blocks and this step's quads.
// Runs    One invocation owns one texel; a workgroup is 64 of them, neighbours in pixels. Grid: texels / 64, folded.
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
    texels: u32,
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

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let texel = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if texel >= params.texels {
        return;
    }
    let quad = texel / BLOCK_PIXELS % params.part_quads;
    let block = texel / BLOCK_PIXELS / params.part_quads;
    let pixel = block * BLOCK_PIXELS + texel % BLOCK_PIXELS;
    let in_part = quad % params.quads * 4u;
    let row = params.row_start + in_part;
    var value = vec4<f32>();
    if pixel < params.pixels {
        let channel = quad / params.quads * params.rows + in_part;
        let at = channel * params.out_pixels + params.first_pixel + pixel;
        value.x = linear_gradient(at);
        if row + 1u < params.rows { value.y = linear_gradient(at + params.out_pixels); }
        if row + 2u < params.rows { value.z = linear_gradient(at + 2u * params.out_pixels); }
        if row + 3u < params.rows { value.w = linear_gradient(at + 3u * params.out_pixels); }
    }
    let to = (block * params.all_quads + params.quad_start + quad) * BLOCK_PIXELS + texel % BLOCK_PIXELS;
    textureStore(packed_grad_output, texel_at(to), value);
}
