// The packed operands of depthwise.wgsl in textures, for CPU drivers.

//@ uses shared/sample shared/texels

/// [x + 1, (segment, pack, image, y + 1)], four channels of the pack, or with packs along x
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(tap, segment, pack, out channel of the group)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, read>;

fn weight_pack(at: u32) -> vec4<f32> {
    return textureLoad(packed_weight, texel_at(at));
}
