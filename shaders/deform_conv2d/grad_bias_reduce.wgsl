// Adds the partial sums of grad_bias.wgsl to the gradient of the bias, in order.
//
//     grad_bias[o] += Σ over slices of   partial[o, slice]
//
// Reads   partial.
// Writes  grad_bias.
// Runs    One invocation owns one channel; a workgroup is 64 of them. Grid: channels / 64, folded.
// Order   No barrier, no atomic; one order of summation.

struct GradBiasReduceParams {
    out_channels: u32,
    slices: u32,
}

@group(0) @binding(0) var<uniform> params: GradBiasReduceParams;
/// [out channel, slice]
@group(0) @binding(1) var<storage, read> partial: array<f32>;
/// [out channel]
@group(0) @binding(2) var<storage, read_write> grad_bias: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let channel = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if channel >= params.out_channels {
        return;
    }
    var sum = 0.0;
    for (var slice = 0u; slice < params.slices; slice++) {
        sum += partial[channel * params.slices + slice];
    }
    grad_bias[channel] += sum;
}
