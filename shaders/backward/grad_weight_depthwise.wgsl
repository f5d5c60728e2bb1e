// Computes partial sums of the gradient of a depthwise convolution's weight.
//
//     partial[c, t, slice] = Σ over the pixels p of the slice of   grad_output[c, p] · mask · sample(p, c, t)
//
// sum_slices.wgsl adds the slices in order. Segments and packs are those of forward/depthwise.wgsl.
//
// Reads   packed_input, packed_grad_output (this step's packs), packed_taps: a part's pixels.
// Writes  partial: this step's channels.
// Runs    One invocation is one tap of PACKS packs of a segment, at every slices-th pixel of the part; a workgroup is
//         64 neighbouring slices. Grid: slices / 64 fastest, then taps, then blocks of packs, then segments, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. The same as forward/depthwise.wgsl's. Slices make enough invocations, because a depthwise weight has
// few elements.

//@ uses backward/pixel_blocks shared/packed_sample shared/packed_planes shared/texels shared/grid

struct Params {
    /// Columns from a pack's plane of the packed input to the next pack's.
    plane_columns: u32,
    /// Rows from a pack's plane of the packed input to the next pack's.
    plane_rows: u32,
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Output pixels of the part, of all its images.
    pixels: u32,
    /// `pixels` rounded up to whole blocks.
    padded_pixels: u32,
    /// Channels of a segment.
    segment_channels: u32,
    /// Segments of this step.
    segments: u32,
    /// First pack of each segment in this step.
    pack_start: u32,
    /// Packs of each segment in this step.
    segment_packs: u32,
    /// Blocks of packs of a segment.
    pack_blocks: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Slices of a sum.
    slices: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [x + 1, (segment, pack, image, y + 1)], four channels of the pack, or with packs along x
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(block, segment, pack, pixel of the block)], four channels of the pack
@group(0) @binding(2) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(3) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [channel, tap, slice]
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

const WORKGROUP_SIZE = 64u;
/// Packs of one invocation.
const PACKS = 4u;
/// This kernel serves deformable convolutions only. The gradients of an ordinary depthwise convolution are computed as
/// products.
const DEFORMED = true;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid);
    let splits = params.slices / WORKGROUP_SIZE;
    let slice = number % splits * WORKGROUP_SIZE + lane;
    let tap = number / splits % params.taps;
    let block = number / splits / params.taps;
    let segment = block / params.pack_blocks;
    let busy = segment < params.segments;
    // The invocation's packs, counted in the segment from this step's first.
    let pack = block % params.pack_blocks * PACKS;
#for p in 0..PACKS
    let q{p} = min(pack + {p}u, params.segment_packs - 1u);
#end
    let first_pack = segment * params.segment_packs;
#for p in 0..PACKS
    let plane{p} = plane_at(first_pack + q{p});
#end
    let plane = (segment * params.taps + tap) * params.padded_pixels;

#for p in 0..PACKS
    var sum{p} = vec4<f32>();
#end
    // No early return: see forward/depthwise.wgsl.
    let end = select(0u, params.pixels, busy);
    for (var n = slice; n < end; n += params.slices) {
        let packed = textureLoad(packed_taps, texel_at(plane + n));
        let grad = (n / BLOCK_PIXELS * params.packs + first_pack) * BLOCK_PIXELS + n % BLOCK_PIXELS;
#for p in 0..PACKS
        sum{p} += product(packed, plane{p}, grad + q{p} * BLOCK_PIXELS);
#end
    }

#for p in 0..PACKS
    store_pack(busy, segment, pack + {p}u, tap, slice, sum{p});
#end
}

/// Returns what a pixel adds to the sums of a pack.
fn product(tap: vec4<f32>, plane: vec2<u32>, grad: u32) -> vec4<f32> {
    return textureLoad(packed_grad_output, texel_at(grad)) * packed_sample(tap, plane);
}

fn store_pack(busy: bool, segment: u32, pack: u32, tap: u32, slice: u32, sum: vec4<f32>) {
    let there = busy && pack < params.segment_packs;
    store(there, segment, pack * 4u, tap, slice, sum.x);
    store(there, segment, pack * 4u + 1u, tap, slice, sum.y);
    store(there, segment, pack * 4u + 2u, tap, slice, sum.z);
    store(there, segment, pack * 4u + 3u, tap, slice, sum.w);
}

/// `channel` is counted in its segment, from this step's first.
fn store(there: bool, segment: u32, channel: u32, tap: u32, slice: u32, sum: f32) {
    if there && params.pack_start * 4u + channel < params.segment_channels {
        let row = (segment * params.segment_channels + channel) * params.taps + tap;
        partial[row * params.slices + slice] = sum;
    }
}
