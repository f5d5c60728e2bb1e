// Takes one step of stochastic gradient descent with momentum, as torch.optim.SGD does.
//
//     velocity = momentum · velocity + (gradient + weight_decay · value)
//     value    = value − learning_rate · velocity
//
// Reads   settings, gradient.
// Writes  value, velocity.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The work is elementwise and bound by memory: neighbouring lanes take neighbouring elements, and each
// tensor is read and written once.

//@ uses shared/window shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// learning_rate, weight_decay, momentum
@group(0) @binding(1) var<storage, read> settings: array<f32>;
/// Any window of the variable.
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
/// Same axes as gradient.
@group(0) @binding(3) var<storage, read_write> value: array<f32>;
/// Same axes as gradient.
@group(0) @binding(4) var<storage, read_write> velocity: array<f32>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    if number >= params.elements {
        return;
    }
    let at = params.base + number;
    let next = settings[2] * velocity[at] + (gradient[at] + settings[1] * value[at]);
    velocity[at] = next;
    value[at] -= settings[0] * next;
}
