// Computes the gradients of a depthwise convolution's columns: each is a product of two numbers. column_gradient.wgsl
// has the same functions for other convolutions.
//
//     gradient(pack, column) = weight[pack, tap] · grad_output[pack, pixel]          column = tap · 2^tap_shift + pixel

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
    let tap = column >> params.tap_shift;
    let pixel = column - (tap << params.tap_shift);
    let output = (pixel / BLOCK_PIXELS * params.packs + pack) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
    return textureLoad(packed_grad_output, texel_at(output))
        * textureLoad(packed_weight, texel_at(tap * params.all_packs + params.first_pack + pack));
}
