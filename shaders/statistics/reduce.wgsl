// Combines the partial sums of a tensor with each other and with the total of earlier windows.
//
//     total = total ⊕ partial[0] ⊕ partial[1] ⊕ …          ⊕ takes the maximum of the second components and adds the others
//
// Reads   partial.
// Writes  total.
// Runs    One invocation, alone in its workgroup. Grid: 1.
// Order   No barrier, no atomic; one order of summation.
//
// Why this shape. SLICES elements are too few to share, and one invocation adds them in the same order on every device.

//@ uses statistics/slices

struct Params {
    /// 1 if `total` holds the total of earlier windows.
    follows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [slice]
@group(0) @binding(1) var<storage, read> partial: array<vec4<f32>>;
/// One element.
@group(0) @binding(2) var<storage, read_write> total: array<vec4<f32>>;

const WORKGROUP_SIZE = 1u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main() {
    var sum = vec4<f32>();
    if params.follows != 0u {
        sum = total[0];
    }
    for (var slice = 0u; slice < SLICES; slice++) {
        let more = partial[slice];
        sum = vec4<f32>(sum.x + more.x, max(sum.y, more.y), sum.z + more.z, sum.w + more.w);
    }
    total[0] = sum;
}
