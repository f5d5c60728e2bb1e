// Multiplies and adds in registers, and does nothing else. Its rate is the f32 multiply-add rate that other kernels are
// compared with.
//
//     x ← x·a + b          for CHAINS independent vec4 chains, UNROLL times per iteration of the loop
//
// Reads   the parameters only.
// Writes  sink: one element per invocation, so that a compiler cannot drop the work.
// Runs    One invocation owns its chains; a workgroup is 64 of them. Grid: invocations / 64, folded.
// Order   No barrier, no atomic.
//
// Why this shape.
//   1. A multiply-add takes several cycles, and a unit can start one or two per cycle, so it needs independent chains
//      to stay busy: twelve on a CPU whose two units take six cycles each. Three vec4 chains are twelve scalars, which
//      fit the sixteen registers of a CPU's vector unit together with both factors. Eight chains were kept in memory,
//      and the measured rate was 120 GFLOP/s where three chains reached 186.
//   2. The factor 0.5 keeps the values bounded, and the addend keeps them away from 0: subnormal numbers take some CPUs
//      a hundred cycles.
//   3. The factor comes from a parameter and the addend from the invocation's number, so that no compiler can evaluate
//      the loop in advance.

//@ uses shared/grid

struct Params {
    /// Iterations of the loop.
    iterations: u32,
    /// Invocations that write.
    invocations: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [invocation]
@group(0) @binding(1) var<storage, read_write> sink: array<f32>;

const WORKGROUP_SIZE = 64u;
/// Independent vec4 chains of one invocation.
const CHAINS = 3u;
/// Multiply-adds of each chain in one iteration of the loop.
const UNROLL = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let invocation = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let a = vec4<f32>(0.5 * f32(min(params.iterations, 1u)));
    let b = vec4<f32>(f32(1u + invocation % 7u));
#for x in 0..CHAINS
    var x{x} = b + {x}.0;
#end
    for (var n = 0u; n < params.iterations; n++) {
#for n in 0..UNROLL
#for x in 0..CHAINS
        x{x} = fma(x{x}, a, b);
#end
#end
    }
    if invocation < params.invocations {
        var sum = vec4<f32>();
#for x in 0..CHAINS
        sum += x{x};
#end
        sink[invocation] = sum.x + sum.y + sum.z + sum.w;
    }
}
