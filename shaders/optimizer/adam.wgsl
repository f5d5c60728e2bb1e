// Takes one step of Adam, as torch.optim.Adam does: weight decay is added to the gradient.
//
//     g      = gradient + weight_decay · value
//     first  = beta1 · first + (1 − beta1) · g                     second = beta2 · second + (1 − beta2) · g²
//     value  = value − step_size · first / (√second / correction + epsilon)
//
// The host computes step_size = learning_rate / (1 − beta1^t) and correction = √(1 − beta2^t), where t counts the steps
// from 1.
//
// Reads   settings, gradient.
// Writes  value, first, second.
// Runs    One invocation owns one element; a workgroup is 64 of them. Grid: elements / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. The work is elementwise and bound by memory: neighbouring lanes take neighbouring elements, and each
// tensor is read and written once.

//@ uses shared/window shared/grid

@group(0) @binding(0) var<uniform> params: Params;
/// step_size, weight_decay, beta1, beta2, epsilon, correction
@group(0) @binding(1) var<storage, read> settings: array<f32>;
/// Any window of the variable.
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
/// Same axes as gradient.
@group(0) @binding(3) var<storage, read_write> value: array<f32>;
/// Same axes as gradient.
@group(0) @binding(4) var<storage, read_write> first: array<f32>;
/// Same axes as gradient.
@group(0) @binding(5) var<storage, read_write> second: array<f32>;

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
    let g = gradient[at] + settings[1] * value[at];
    let m = settings[2] * first[at] + (1.0 - settings[2]) * g;
    let v = settings[3] * second[at] + (1.0 - settings[3]) * g * g;
    first[at] = m;
    second[at] = v;
    value[at] -= settings[0] * m / (sqrt(v) / settings[5] + settings[4]);
}
