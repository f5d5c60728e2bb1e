// Computes partial sums of the gradient of the weight of a depthwise convolution, or of one with weight groups of 2 to 4
// input channels.
//
//     partial[(r, c, t), slice] = Σ over the pixels p of the slice of   grad_output[r, p] · mask · sample(p, c, t)
//
// r is an output channel of c's weight group. sum_slices.wgsl adds the slices in order. Segments and packs are those of
// forward/depthwise.wgsl.
//
// Reads   packed_input, packed_grad_output (this step's packs), packed_taps: a part's pixels.
// Writes  partial: this step's channels.
// Runs    One invocation is one tap of PACKS packs of a segment and ROWS output channels of each of their weight groups,
//         at every slices-th pixel of the part; a workgroup is 64 neighbouring slices. Grid: slices / 64 fastest, then
//         taps, then blocks of packs, then blocks of output channels, then segments, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. The same as forward/depthwise.wgsl's. Slices make enough invocations, because a depthwise weight has
// few elements.

//@ uses backward/pixel_blocks shared/packed_sample shared/packed_planes shared/texels shared/grid
//@ constant PACKS Packs of one invocation.
//@ constant ROWS Output channels of a weight group that one invocation computes.
//@ variant packs4 PACKS=4u ROWS=1u
//@ variant packs2 PACKS=2u ROWS=1u
//@ variant packs1 PACKS=1u ROWS=1u
//@ variant packs2_rows2 PACKS=2u ROWS=2u
//@ variant packs1_rows2 PACKS=1u ROWS=2u
//@ variant packs1_rows4 PACKS=1u ROWS=4u

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
    /// Input channels of a weight group.
    group_channels: u32,
    /// Binary logarithm of the lanes of a weight group: 1, 2 or 4.
    group_shift: u32,
    /// Weight groups of a segment.
    segment_groups: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// Blocks of output channels of a weight group.
    row_blocks: u32,
    /// Slices of a sum.
    slices: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [x + 1, (segment, pack, image, y + 1)], four channels of the pack, or with packs along x
@group(0) @binding(1) var packed_input: texture_storage_2d<rgba32float, read>;
/// [(block, segment, pack, out channel of the group, pixel of the block)], four channels of the pack
@group(0) @binding(2) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [(offset group, tap, pixel)], (row, y, x, mask)
@group(0) @binding(3) var packed_taps: texture_storage_2d<rgba32float, read>;
/// [(out channel, channel of the group), tap, slice]
@group(0) @binding(4) var<storage, read_write> partial: array<f32>;

const WORKGROUP_SIZE = 64u;
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
    let segment = block / params.pack_blocks / params.row_blocks;
    let row = block / params.pack_blocks % params.row_blocks * ROWS;
    let busy = segment < params.segments;
    // The invocation's packs, counted in the segment from this step's first.
    let pack = block % params.pack_blocks * PACKS;
#for p in 0..PACKS
    let q{p} = pack + {p}u;
#end
    let first_pack = segment * params.segment_packs;
#for p in 0..PACKS
    let plane{p} = plane_at(first_pack + q{p});
#end
#for r in 0..ROWS
    let row{r} = row + {r}u;
#end
    let plane = (segment * params.taps + tap) * params.padded_pixels;

#for p in 0..PACKS
#for r in 0..ROWS
    var sum{p}_{r} = vec4<f32>();
#end
#end
    // No early return: see forward/depthwise.wgsl.
    let end = select(0u, params.pixels, busy);
    for (var n = slice; n < end; n += params.slices) {
        let packed = textureLoad(packed_taps, texel_at(plane + n));
        let block = n / BLOCK_PIXELS * params.packs + first_pack;
        let pixel = n % BLOCK_PIXELS;
#for p in 0..PACKS
        let sample{p} = packed_sample(packed, plane{p});
#for r in 0..ROWS
        sum{p}_{r} += grad_output_at((block + q{p}) * params.rows + row{r}, pixel) * sample{p};
#end
#end
    }

#for p in 0..PACKS
#for r in 0..ROWS
    store_pack(busy, segment, pack + {p}u, row + {r}u, tap, slice, sum{p}_{r});
#end
#end
}

fn grad_output_at(pack: u32, pixel: u32) -> vec4<f32> {
    return textureLoad(packed_grad_output, texel_at(pack * BLOCK_PIXELS + pixel));
}

fn store_pack(busy: bool, segment: u32, pack: u32, row: u32, tap: u32, slice: u32, sum: vec4<f32>) {
    let there = busy && pack < params.segment_packs && row < params.rows;
    store(there, segment, pack * 4u, row, tap, slice, sum.x);
    store(there, segment, pack * 4u + 1u, row, tap, slice, sum.y);
    store(there, segment, pack * 4u + 2u, row, tap, slice, sum.z);
    store(there, segment, pack * 4u + 3u, row, tap, slice, sum.w);
}

/// `in_segment` is the input channel, counted in its segment from this step's first.
fn store(there: bool, segment: u32, in_segment: u32, row: u32, tap: u32, slice: u32, sum: f32) {
    if there && params.pack_start * 4u + in_segment < params.segment_channels {
        let group_of_segment = in_segment >> params.group_shift;
        let in_group = in_segment - (group_of_segment << params.group_shift);
        let out_channel = (segment * params.segment_groups + group_of_segment) * params.rows + row;
        let weight = (out_channel * params.group_channels + in_group) * params.taps + tap;
        partial[weight * params.slices + slice] = sum;
    }
}
