// Multiplies and adds in registers and nothing else: the f32 multiply-add rate that other kernels are held against.
//
//     x ← x·a + b,   CHAINS independent vec4 chains, UNROLL times a trip
//
// Reads   nothing but the parameters.
// Writes  sink: one element an invocation, so that the work cannot be dropped.
// Runs    One invocation owns its chains; a workgroup is 64 of them; grid: invocations / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape. A multiply-add takes several cycles to finish, and a unit can start one or two a cycle: it needs independent
// chains to stay busy, twelve of them on a CPU whose two units take six cycles. Three vec4 chains are twelve scalars, which with
// both factors still fit the sixteen registers of a CPU's vector unit; with eight they are kept in memory, and the rate read was
// 120 GFLOP/s where three read 186. The factor 0.5 keeps the values bounded, and what is added keeps them from 0: on the way there
// they would be subnormal, for which some CPUs take a hundred cycles. Both come from the parameters, so that no compiler can work
// the loop out beforehand.

//@ uses shared/grid

struct Params {
    /// Trips of the loop.
    trips: u32,
    /// Invocations that write.
    invocations: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [invocation]
@group(0) @binding(1) var<storage, read_write> sink: array<f32>;

const WORKGROUP_SIZE = 64u;
/// Independent vec4 chains of one invocation.
const CHAINS = 3u;
/// Multiply-adds of each chain in one trip of the loop.
const UNROLL = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let invocation = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let a = vec4<f32>(0.5 * f32(min(params.trips, 1u)));
    let b = vec4<f32>(f32(1u + invocation % 7u));
    var x0 = b;
    var x1 = b + 1.0;
    var x2 = b + 2.0;
    for (var trip = 0u; trip < params.trips; trip++) {
#for n in 0..UNROLL
#for x in 0..CHAINS
        x{x} = fma(x{x}, a, b);
#end
#end
    }
    if invocation < params.invocations {
        let sum = x0 + x1 + x2;
        sink[invocation] = sum.x + sum.y + sum.z + sum.w;
    }
}
