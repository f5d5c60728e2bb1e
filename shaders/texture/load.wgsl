// Reads a rectangle of a texture into a tensor: the first channels of each texel, one plane per channel.
//
//     output[c, y, x] = texel(origin_y + y, origin_x + x)[c]
//
// Reads   image: one mip level. The read converts from the texture's format (8 bits, sRGB, f16) to f32.
// Writes  output, all of it.
// Runs    One invocation owns one texel; a workgroup is 64 of them. Grid: texels / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. Neighbouring lanes read neighbouring texels, and write neighbouring elements of each plane.

//@ uses texture/region shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// One mip level of the texture.
@group(0) @binding(1) var image: texture_2d<f32>;
/// [channel, height, width]
//@ operand
@group(0) @binding(2) var<storage, read_write> output: array<output_element>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let pixel = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if pixel >= params.pixels {
        return;
    }
    let at = vec2<u32>(params.origin_x + pixel % params.width, params.origin_y + pixel / params.width);
    let texel = textureLoad(image, at, 0);
    write_output(pixel, texel.x);
    if params.channels > 1u { write_output(pixel + params.pixels, texel.y); }
    if params.channels > 2u { write_output(pixel + 2u * params.pixels, texel.z); }
    if params.channels > 3u { write_output(pixel + 3u * params.pixels, texel.w); }
}
