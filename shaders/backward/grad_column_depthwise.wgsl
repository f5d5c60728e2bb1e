// Computes the gradient of the columns for weight groups of few channels, without a product.
//
//     grad_column[c, t, p] = Σ over the output channels r of c's weight group of   weight[r, c, t] · grad_output[r, p]
//
// pack_weight_depthwise.wgsl and pack_grad_output.wgsl define the layouts of the operands.
//
// Reads   packed_grad_output, packed_weight.
// Writes  grad_column: one pack of one tap and pixel per invocation. Padding pixels get 0, or NaN if the weight is not
//         finite.
// Runs    A workgroup is 64 invocations. Grid: pixels fastest, then taps, then packs, folded.
// Order   No barrier, no atomic; each sum runs in one order.
//
// Why this shape. A lane of the sum belongs to one channel, so a NaN in a channel reaches no other. The weight is the
// same for all lanes of a vector but a few.

//@ uses backward/pixel_blocks backward/columns_layout shared/texels shared/grid

struct Params {
    /// Taps of the kernel: kernel_height · kernel_width.
    taps: u32,
    /// Output channels of a weight group.
    rows: u32,
    /// Packs of this step's channels.
    packs: u32,
    /// Packs of all segments.
    all_packs: u32,
    /// Number of this step's first pack among the packs of all segments.
    first_pack: u32,
    /// Output pixels of the part, filled up to whole blocks.
    padded_pixels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// [(block, segment, pack, out channel of the group, pixel of the block)], four channels of the pack
@group(0) @binding(1) var packed_grad_output: texture_storage_2d<rgba32float, read>;
/// [(tap, segment, pack, out channel of the group)], four channels of the pack
@group(0) @binding(2) var packed_weight: texture_storage_2d<rgba32float, read>;
/// [(block of packs, tap, pixel, pack)], four channels of the pack: columns_layout.wgsl
@group(0) @binding(3) var<storage, read_write> grad_column: array<vec4<f32>>;

const WORKGROUP_SIZE = 64u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = workgroup_number(workgroup, grid) * WORKGROUP_SIZE + lane;
    let columns = params.taps * params.padded_pixels;
    let pack = number / columns;
    let column = number - pack * columns;
    let tap = column / params.padded_pixels;
    let pixel = column - tap * params.padded_pixels;
    let grad = ((pixel / BLOCK_PIXELS * params.packs + pack) * params.rows) * BLOCK_PIXELS + pixel % BLOCK_PIXELS;
    let weight = (tap * params.all_packs + params.first_pack + pack) * params.rows;
    var sum = vec4<f32>();
    // No early return: see grad_column.wgsl.
    for (var r = 0u; r < params.rows; r++) {
        sum += textureLoad(packed_grad_output, texel_at(grad + r * BLOCK_PIXELS)) * textureLoad(packed_weight, texel_at(weight + r));
    }
    if pack < params.packs {
        grad_column[column_index(columns_of(pack, params.packs, columns), column)] = sum;
    }
}
