// The packed weight of pack_weight_depthwise.wgsl in a texture.

//@ uses shared/texels

/// [(tap, segment, pack, out channel of the group)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, write>;

fn store_pack(at: u32, value: vec4<f32>) {
    textureStore(packed_weight, texel_at(at), value);
}
