// The packed weight of pack_weight_depthwise.wgsl in a buffer.

/// [(tap, segment, pack, out channel of the group)], four channels of the pack
@group(0) @binding(2) var<storage, read_write> packed_weight: array<vec4<f32>>;

fn store_pack(at: u32, value: vec4<f32>) {
    packed_weight[at] = value;
}
