// Writes a tensor into a rectangle of a texture, one plane per channel. A tensor of one plane becomes a grey image.
//
//     texel(origin_y + y, origin_x + x) = (input[0], input[1], input[2], input[3] or 1)[y, x]
//
// Reads   input.
// Writes  image: the rectangle. The texture's format clamps and rounds the values.
// Runs    One invocation owns one texel; a workgroup is 64 of them. Grid: texels / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. Neighbouring lanes write neighbouring texels. WGSL fixes the format of a storage texture, so each
// format is a variant.

//@ uses texture/region shared/grid
//@ constant FORMAT The format of the texture.
//@ variant rgba8unorm FORMAT=rgba8unorm
//@ variant rgba16float FORMAT=rgba16float
//@ variant rgba32float FORMAT=rgba32float

@group(0) @binding(0) var<uniform> params: Params;
/// [channel, height, width]
//@ operand
@group(0) @binding(1) var<storage, read> input: array<input_element>;
/// The texture, in the format of the variant.
@group(0) @binding(2) var image: texture_storage_2d<{FORMAT}, write>;

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
    let first = read_input(pixel);
    var texel = vec4<f32>(first, first, first, 1.0);
    if params.channels > 1u {
        texel.y = read_input(pixel + params.pixels);
        texel.z = read_input(pixel + 2u * params.pixels);
    }
    if params.channels > 3u {
        texel.w = read_input(pixel + 3u * params.pixels);
    }
    textureStore(image, vec2<u32>(params.origin_x + pixel % params.width, params.origin_y + pixel / params.width), texel);
}
