// The packed operands of depthwise.wgsl in buffers, for GPUs. Their texture units return one texel of 128 bits in the time
// of several reads of a buffer, and all lanes of a wave share the read of a weight.

//@ uses shared/sample_planes

/// [(tap, segment, pack, out channel of the group)], four channels of the pack
@group(0) @binding(2) var<storage, read> packed_weight: array<vec4<f32>>;

fn weight_pack(at: u32) -> vec4<f32> {
    return packed_weight[at];
}
