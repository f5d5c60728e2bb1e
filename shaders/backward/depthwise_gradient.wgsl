// Computes the gradients of a depthwise convolution's columns: each is a product of two numbers. column_gradient.wgsl
// has the same functions for other convolutions.
//
//     gradient(pack, column) = weight[pack, tap] · grad_output[pack, pixel]          column = tap·padded_pixels + pixel

//@ uses backward/pixel_blocks shared/texels

/// [(block, pack, pixel of the block)], four channels of the pack
@group(0) @binding(2) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [(tap, segment, pack)]
@group(0) @binding(6) var packed_weight: texture_storage_2d<rgba32float, read>;

alias PackGradients = u32;

fn gradients_of(pack: u32, columns: u32) -> PackGradients {
    return pack;
}

fn gradient(pack: PackGradients, column: u32) -> vec4<f32> {
    // The quotient of the floats is at most one off, because a column's number stays below 2²⁴. A CPU driver divides
    // integers lane by lane.
    let about = u32(f32(column) / f32(params.padded_pixels));
    let rest = i32(column) - i32(about * params.padded_pixels);
    let tap = about + u32(rest >= i32(params.padded_pixels)) - u32(rest < 0);
    let pixel = column - tap * params.padded_pixels;
    let output = (pixel / BLOCK_PIXELS * params.packs + pack) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
    return textureLoad(packed_grad_output, texel_at(output))
        * textureLoad(packed_weight, texel_at(tap * params.all_packs + params.first_pack + pack));
}
